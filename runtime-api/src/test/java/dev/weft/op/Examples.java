package dev.weft.op;

import static dev.weft.DType.BF16;
import static dev.weft.DType.F32;
import static dev.weft.DType.F4_E2M1;
import static dev.weft.DType.F8_E4M3;
import static dev.weft.DType.I32;
import static dev.weft.DType.I64;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.TensorType;
import java.util.List;

/** One small valid call of every operator. */
final class Examples {
    private static final RotaryParameters ROTARY = RotaryParameters.plain(64, 10000);
    private static final TensorType POSITIONS = type(I32, 5);
    private static final TensorType STARTS = type(I32, 3);
    private static final TensorType SLOTS = type(I32, 2);
    private static final TensorType PAGES = type(I32, 2, 4);
    private static final TensorType ROWS = type(F32, 5, 128);
    private static final TensorType STREAMS = type(F32, 5, 4, 32);

    private static final ExpertTable EXPERTS = ExpertTable.contiguous(8, 2);

    private Examples() {}

    static TensorType type(DType dtype, long... extents) {
        return TensorType.of(dtype, extents);
    }

    private static OpInstance call(Op op, TensorType... operands) {
        return OpInstance.of(op, List.of(operands));
    }

    static List<OpInstance> all() {
        return List.of(
                call(new Gather(F32), type(BF16, 100, 128), type(I32, 5)),
                call(new Expand(4), ROWS),
                call(new Add(), ROWS, ROWS),
                call(new Mul(), ROWS, ROWS),
                call(new Scale(2), ROWS),
                call(new Cast(BF16), ROWS),
                call(new Concat(), ROWS, type(F32, 5, 64)),
                call(new Slice(64, 128), ROWS),
                call(new Softmax(), ROWS),
                call(new TopK(3), ROWS),
                call(new Sample(), ROWS, type(F32, 5), type(F32, 5), type(F32, 5)),
                call(new RmsNorm(1e-6f), ROWS, type(F32, 128)),
                call(new HeadNorm(1e-6f), type(F32, 5, 2, 64)),
                call(new Hadamard(), ROWS),
                call(new Rotary(ROTARY, false), type(F32, 5, 2, 128), POSITIONS),
                call(new Quantize(F8_E4M3, Scaling.FP8_GROUP_128), ROWS),
                call(new Dequantize(F32), type(F8_E4M3, 5, 128).scaled(Scaling.FP8_GROUP_128)),
                call(new FakeQuantize(F8_E4M3, 64, 64), ROWS),
                call(new Gemm(F32), ROWS, type(F8_E4M3, 256, 128).scaled(Scaling.FP8_BLOCK_128)),
                call(new GroupedGemm(F32), type(F32, 5, 2, 64), type(F32, 2, 16, 64)),
                call(new ExpertGemm(F32), ROWS, type(F4_E2M1, 8, 64, 128).scaled(Scaling.MXFP4), type(I32, 9)),
                attention(),
                compress(),
                call(
                        new LightningIndex(3, 4),
                        type(F32, 5, 2, 128),
                        type(F32, 5, 2),
                        type(F32, 8, 4, 128),
                        POSITIONS,
                        STARTS,
                        PAGES),
                call(new RingWrite(), type(F32, 2, 8, 128), ROWS, POSITIONS, STARTS, SLOTS),
                call(new MoeGate(2, MoeGate.Score.SIGMOID, false, 1), type(F32, 5, 8), type(F32, 8)),
                call(new MoeDispatch(8), ROWS, type(I32, 5, 2), type(F32, 5, 2)),
                call(new SwiGlu(7, true), ROWS, ROWS, type(F32, 5)),
                call(new MoePlaces(EXPERTS, 1, Dim.fixed(7)), type(I32, 5, 2)),
                call(new Unsort(), ROWS, type(I32, 5)),
                call(new MoeCombine(), type(F32, 10, 128), type(I32, 10), ROWS),
                call(new HyperPre(4, 20, 1e-6f, 1e-6f), STREAMS, type(F32, 24, 128), type(F32, 3), type(F32, 24)),
                call(new HyperPost(), type(F32, 5, 32), STREAMS, type(F32, 5, 4), type(F32, 5, 4, 4)),
                call(new HyperHead(4, 1e-6f, 1e-6f), STREAMS, type(F32, 4, 128), type(F32, 1), type(F32, 4)),
                call(new NewtonSchulz(NewtonSchulz.Schedule.HYBRID, F32), type(F32, 8, 12)),
                call(new AllReduce(2), ROWS),
                call(new AllGather(2), ROWS),
                call(new ReduceScatter(2), type(F32, 6, 128)),
                call(new AllToAll(2), type(F32, 6, 128)),
                call(new AllToAllV(2), ROWS, type(I64, 2)),
                call(new Broadcast(2), ROWS),
                call(new MoeGather(2, Dim.fixed(5)), ROWS, type(F32, 5, 2), type(I32, 5, 2)),
                call(new MoeSend(EXPERTS, Dim.fixed(20)), ROWS, type(F32, 5), type(I32, 9)),
                call(new MoeReturn(EXPERTS, Dim.fixed(5)), type(F32, 20, 128), type(I64, 2, 4), type(I32, 9)),
                call(new RowCounts(2, Dim.fixed(10)), ROWS),
                call(new GatherRows(2, Dim.fixed(10)), ROWS, type(I64, 2)),
                call(new ScatterColumns(2, Dim.fixed(10)), ROWS, type(I64, 2)),
                call(new GatherColumns(2, Dim.fixed(5)), type(F32, 10, 64), type(I64, 2)));
    }

    /** Attention with picks, the form with the most operands. */
    static OpInstance attention() {
        return call(
                new SparseAttention(8, 4, Reach.PICKED, 0.125f),
                type(F32, 5, 2, 128),
                ROWS,
                type(F32, 2, 8, 128),
                type(F32, 2),
                POSITIONS,
                STARTS,
                SLOTS,
                type(F32, 8, 4, 128),
                PAGES,
                type(I32, 5, 3));
    }

    /** An overlapping compressor of ratio 4. */
    static OpInstance compress() {
        TensorType wide = type(F32, 5, 256);
        TensorType ring = type(F32, 2, 8, 256);
        return call(
                new Compress(4, true, ROTARY, 1e-6f, EntryForm.FP8),
                wide,
                wide,
                type(F32, 4, 256),
                type(F32, 128),
                ring,
                ring,
                type(F32, 8, 4, 128),
                POSITIONS,
                STARTS,
                SLOTS,
                PAGES);
    }
}
