package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.TensorType;
import java.util.List;

/**
 * Builds compressed key-value entries: every {@code ratio} tokens become one.
 *
 * <p>Block b covers positions {@code b*ratio .. b*ratio + ratio-1} and is emitted when its last token is in the step,
 * never partially. With {@code h} the entry width and rows k, z of a position coming from this step or, for earlier
 * positions, from the rings (slot {@code position mod C}):
 *
 * <ul>
 *   <li>plain (coff = 1): per channel c, {@code w_t = softmax_t(z[b*ratio+t, c] + ape[t, c])}, t = 0..ratio-1,
 *       {@code C[c] = sum_t w_t * k[b*ratio+t, c]};
 *   <li>overlapping (coff = 2): the softmax runs over 2*ratio rows: block b-1 with channels {@code [0, h)} of k, z and
 *       ape, then block b with channels {@code [h, 2h)}. For b = 0 the first half has weight zero.
 * </ul>
 *
 * <p>Then {@code c = rmsNorm(round(C), norm, eps)}, rotary on the last lanes at position {@code b*ratio}, and the
 * {@link EntryForm}; every step rounds to the cache's dtype (no rounding in an F32 cache). Softmax and weighted sum are
 * F32 (maximum subtracted, rows ascending, division last); Entry b of sequence s is written to
 * {@code cache[pages[s, b / E], b mod E, :]}.
 *
 * <p>k, z F32 {@code [R, coff*h]}; ape F32 {@code [ratio, coff*h]}; norm F32 or BF16 {@code [h]}; kRing, zRing: states
 * F32 {@code [S, C, coff*h]} with {@code C >= coff*ratio}, read only; cache: state F32 or BF16 {@code [P, E, h]};
 * positions I32 {@code [R]}, starts I32 {@code [B+1]}, slots I32 {@code [B]}, pages I32 {@code [B, M]}. Result: the
 * cache, updated in place. Source: specification 5.4, 5.9.
 *
 * @param ratio tokens per entry, 2 or more
 * @param overlap whether an entry also sees the block before its own
 * @param rotary rotary table of the layer
 * @param eps epsilon of the norm
 * @param form what happens to the entry last
 */
public record Compress(int ratio, boolean overlap, RotaryParameters rotary, float eps, EntryForm form) implements Op {
    public Compress {
        Rules.attribute(ratio >= 2, "compress", "ratio must be 2 or more: found " + ratio);
    }

    /** Width of a row in entry widths: 2 when overlapping. */
    public int coff() {
        return overlap ? 2 : 1;
    }

    @Override
    public List<String> operands() {
        return List.of("k", "z", "ape", "norm", "kRing", "zRing", "cache", "positions", "starts", "slots", "pages");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in)
                .rank(0, 2)
                .rank(1, 2)
                .rank(2, 2)
                .rank(3, 1)
                .rank(4, 3)
                .rank(5, 3)
                .rank(6, 3);
        for (int i : new int[] {0, 1, 2, 4, 5}) {
            r.dtype(i, DType.F32);
        }
        r.dtype(3, DType.F32, DType.BF16).flow(6).sameShape(1, 0).sameShape(5, 4);
        long h = r.extent(6, 2);
        Dim wide = Dim.fixed(coff() * h);
        r.same(0, 1, wide, "coff times the entry width").same(2, 1, wide, "coff times the entry width");
        r.same(4, 2, wide, "coff times the entry width").fixed(2, 0, ratio, "one row per token of a block");
        r.same(3, 0, Dim.fixed(h), "one norm weight per lane");
        r.require(4, r.extent(4, 1) >= (long) coff() * ratio, "ring must hold " + coff() * ratio + " rows or more");
        r.require(6, h >= rotary.dim(), "entry is narrower than the " + rotary.dim() + " rotated lanes");
        switch (form) {
            case FP8 -> r.require(6, (h - rotary.dim()) % 64 == 0, "lanes before the rotary ones must be whole 64s");
            case HADAMARD -> r.require(6, Long.bitCount(h) == 1, "Hadamard needs a power of two");
            case HADAMARD_FP4 -> r.require(6, Long.bitCount(h) == 1 && h >= 32, "Hadamard and FP4 need a power of two");
            case PLAIN -> {}
        }
        Batch.check(r, 0, 7, 8);
        Batch.slots(r, 8, 9);
        Batch.pages(r, 8, 10);
        return List.of(r.at(6));
    }

    @Override
    public int updates(int output) {
        return 6;
    }

    @Override
    public double flops(List<TensorType> in) {
        return 5.0 * coff() * in.getFirst().maxElements();
    }

    @Override
    public double bytes(List<TensorType> in) {
        double rows = 2.0 * in.getFirst().maxDataBytes();
        return rows + rows / (coff() * ratio);
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        // a quantiser at the end may turn one rounding into a step of the narrow format
        return form == EntryForm.PLAIN || form == EntryForm.HADAMARD
                ? Tolerance.of(in.get(6).dtype())
                : new Tolerance(1e-3, 0.3);
    }
}
