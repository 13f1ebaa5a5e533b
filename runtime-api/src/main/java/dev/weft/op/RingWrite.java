package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * Stores the step's rows in a ring per sequence: the sliding window, or the open rows of a compressor.
 *
 * <p>Row i at position p of sequence b goes to {@code ring[slots[b], p mod C, :]}. Of a sequence's rows only the last C
 * are written. Must follow every reader of the ring in the step, because early queries still need the old rows.
 *
 * <p>ring: state {@code [S, C, w]}; rows: {@code [R, w]} of the ring's dtype; positions I32 {@code [R]}, contiguous
 * inside a sequence; starts I32 {@code [B+1]}: sequence b has rows {@code starts[b] .. starts[b+1]-1}; slots I32
 * {@code [B]}. Result: the ring, updated in place. Exact. Source: specification 5.9.
 */
public record RingWrite() implements Op {
    @Override
    public List<String> operands() {
        return List.of("ring", "rows", "positions", "starts", "slots");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 3).flow(0).rank(1, 2).sameDType(1, 0);
        r.same(1, 1, r.dim(0, 2), "rows are as wide as the ring");
        Batch.check(r, 1, 2, 3);
        Batch.slots(r, 3, 4);
        return List.of(r.at(0));
    }

    @Override
    public int updates(int output) {
        return 0;
    }

    @Override
    public double flops(List<TensorType> in) {
        return 0;
    }

    @Override
    public double bytes(List<TensorType> in) {
        return 2.0 * in.get(1).maxDataBytes();
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}
