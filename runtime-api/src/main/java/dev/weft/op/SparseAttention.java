package dev.weft.op;

import dev.weft.DType;
import dev.weft.TensorType;
import java.util.ArrayList;
import java.util.List;

/**
 * Shared-KV attention with sinks over a list of keys: one latent row serves all heads as key and as value.
 *
 * <p>The key list of row i at position p of sequence s, in order: window positions {@code max(0, p-window+1) .. p}
 * ascending, taken from kv if in this step, else from {@code ring[slots[s], position mod C]}; then compressed entries
 * {@code cache[pages[s, j / E], j mod E]} ascending: with {@link Reach#ALL} all {@code j < (p+1)/ratio}, with
 * {@link Reach#PICKED} those of {@code picks[i, :]} (-1 is none).
 *
 * <p>{@code z_j = (q . k_j) * scale}; {@code m = max_j z_j}; {@code e_j = exp(z_j - m)};
 * {@code y = round(sum_j e_j k_j / (sum_j e_j + exp(sink - m)))}, all F32; in a BF16 flow e_j is rounded to BF16 in the
 * numerator only. The running maximum may be carried over blocks of 64 keys of the list with rescaling. The sink may be
 * included in the maximum. Tolerance: that of q's dtype, doubled in BF16 for the rounded probabilities.
 *
 * <p>q F32 or BF16 {@code [R, heads, w]}; kv of q's dtype {@code [R, w]}; ring: state of q's dtype {@code [S, C, w]},
 * read only, {@code C >= window}; sink F32 {@code [heads]}; positions I32 {@code [R]}, starts I32 {@code [B+1]}, slots
 * I32 {@code [B]}. With {@code reach} other than WINDOW also cache: state of q's dtype {@code [P, E, w]}, and pages I32
 * {@code [B, M]}; with PICKED also picks I32 {@code [R, K]}. Result like q. Source: specification 5.7.
 *
 * @param window length of the sliding window, own position included
 * @param ratio tokens per compressed entry; ignored with {@link Reach#WINDOW}
 * @param reach which compressed entries are seen
 * @param scale factor on the scores
 */
public record SparseAttention(int window, int ratio, Reach reach, float scale) implements Op {
    public SparseAttention {
        Rules.attribute(window >= 1, "sparseAttention", "window must be 1 or more: found " + window);
        Rules.attribute(
                reach == Reach.WINDOW || ratio >= 1, "sparseAttention", "ratio must be 1 or more: found " + ratio);
    }

    @Override
    public List<String> operands() {
        List<String> names = new ArrayList<>(List.of("q", "kv", "ring", "sink", "positions", "starts", "slots"));
        if (reach != Reach.WINDOW) {
            names.addAll(List.of("cache", "pages"));
        }
        if (reach == Reach.PICKED) {
            names.add("picks");
        }
        return names;
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in)
                .rank(0, 3)
                .flow(0)
                .rank(1, 2)
                .sameDType(1, 0)
                .rank(2, 3)
                .sameDType(2, 0);
        r.same(1, 0, r.dim(0, 0), "one latent row per query row").same(1, 1, r.dim(0, 2), "one head width");
        r.same(2, 2, r.dim(0, 2), "one head width");
        r.require(2, r.extent(2, 1) >= window, "ring must hold the window of " + window + " rows");
        r.rank(3, 1).dtype(3, DType.F32).same(3, 0, r.dim(0, 1), "one sink per head");
        Batch.check(r, 0, 4, 5);
        Batch.slots(r, 5, 6);
        if (reach != Reach.WINDOW) {
            r.rank(7, 3).sameDType(7, 0).same(7, 2, r.dim(0, 2), "one head width");
            Batch.pages(r, 5, 8);
        }
        if (reach == Reach.PICKED) {
            r.rank(9, 2).dtype(9, DType.I32).same(9, 0, r.dim(0, 0), "one list of picks per row");
        }
        return List.of(r.at(0));
    }

    /** Longest key list of one query for operands of the given types. */
    public double keys(List<TensorType> in) {
        return window
                + switch (reach) {
                    case WINDOW -> 0;
                    case PICKED -> in.get(9).shape().dim(1).maximum();
                    case ALL ->
                        in.get(8).shape().dim(1).maximum()
                                * in.get(7).shape().dim(1).maximum();
                };
    }

    @Override
    public double flops(List<TensorType> in) {
        return 4.0 * in.getFirst().maxElements() * keys(in);
    }

    @Override
    public double bytes(List<TensorType> in) {
        TensorType q = in.getFirst();
        double row = q.dtype().bytes(q.shape().last().maximum());
        return 2.0 * q.maxDataBytes() + q.shape().dim(0).maximum() * keys(in) * row;
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        Tolerance t = Tolerance.of(in.getFirst().dtype());
        return in.getFirst().dtype() == DType.F32 ? t : new Tolerance(2 * t.nmse(), 2 * t.relative());
    }
}
