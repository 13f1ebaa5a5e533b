package dev.weft.backend.cpu;

import dev.weft.op.Add;
import dev.weft.op.AllGather;
import dev.weft.op.AllReduce;
import dev.weft.op.AllToAll;
import dev.weft.op.AllToAllV;
import dev.weft.op.Broadcast;
import dev.weft.op.Cast;
import dev.weft.op.Compress;
import dev.weft.op.Concat;
import dev.weft.op.Dequantize;
import dev.weft.op.Expand;
import dev.weft.op.ExpertGemm;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Gather;
import dev.weft.op.GatherColumns;
import dev.weft.op.GatherRows;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Hadamard;
import dev.weft.op.HeadNorm;
import dev.weft.op.HyperHead;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.LightningIndex;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.MoeGather;
import dev.weft.op.MoePlaces;
import dev.weft.op.MoeReturn;
import dev.weft.op.MoeSend;
import dev.weft.op.Mul;
import dev.weft.op.NewtonSchulz;
import dev.weft.op.Op;
import dev.weft.op.Quantize;
import dev.weft.op.ReduceScatter;
import dev.weft.op.RingWrite;
import dev.weft.op.RmsNorm;
import dev.weft.op.Rotary;
import dev.weft.op.RotaryParameters;
import dev.weft.op.RowCounts;
import dev.weft.op.Sample;
import dev.weft.op.Scale;
import dev.weft.op.ScatterColumns;
import dev.weft.op.Slice;
import dev.weft.op.Softmax;
import dev.weft.op.SparseAttention;
import dev.weft.op.SwiGlu;
import dev.weft.op.TopK;
import dev.weft.op.Unsort;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * An operator as native kernels read it: a number of {@code enum weft_op} and attribute words.
 *
 * @param opcode the number
 * @param attributes the words in the order of the comments there
 */
record Encoding(int opcode, MemorySegment attributes) {
    /** {@code enum weft_op}, in its order. */
    private enum Code {
        GATHER,
        EXPAND,
        RMS_NORM,
        HEAD_NORM,
        ROTARY,
        QUANTIZE,
        DEQUANTIZE,
        FAKE_QUANTIZE,
        HADAMARD,
        GEMM,
        GROUPED_GEMM,
        EXPERT_GEMM,
        SPARSE_ATTENTION,
        COMPRESS,
        LIGHTNING_INDEX,
        RING_WRITE,
        MOE_GATE,
        MOE_DISPATCH,
        SWIGLU,
        MOE_COMBINE,
        HYPER_PRE,
        HYPER_POST,
        HYPER_HEAD,
        ADD,
        MUL,
        SCALE,
        CAST,
        CONCAT,
        SLICE,
        SOFTMAX,
        TOP_K,
        MOE_PLACES,
        UNSORT,
        GATED_GEMM,
        GATED_EXPERT_GEMM,
        HYPER_STEP
    }

    /**
     * The encoding of {@code op}; empty for an operator without a native number.
     *
     * @param allocator owner of the words and of the tables they point to
     */
    static Optional<Encoding> of(Op op, SegmentAllocator allocator) {
        Words w = new Words(allocator);
        Optional<Code> code = switch (op) {
            case Gather _ -> w.as(Code.GATHER);
            case Expand o -> w.add(o.copies()).as(Code.EXPAND);
            case RmsNorm o -> w.add(o.eps()).as(Code.RMS_NORM);
            case HeadNorm o -> w.add(o.eps()).as(Code.HEAD_NORM);
            case Rotary o -> w.add(o.parameters()).add(o.inverse()).as(Code.ROTARY);
            case Quantize _ -> w.as(Code.QUANTIZE);
            case Dequantize _ -> w.as(Code.DEQUANTIZE);
            case FakeQuantize o ->
                w.add(o.dtype()).add(o.block()).add(o.lanes()).as(Code.FAKE_QUANTIZE);
            case Hadamard _ -> w.as(Code.HADAMARD);
            case Gemm _ -> w.as(Code.GEMM);
            case GroupedGemm _ -> w.as(Code.GROUPED_GEMM);
            case ExpertGemm _ -> w.as(Code.EXPERT_GEMM);
            case SparseAttention o ->
                w.add(o.window()).add(o.ratio()).add(o.reach()).add(o.scale()).as(Code.SPARSE_ATTENTION);
            case Compress o ->
                w.add(o.ratio())
                        .add(o.overlap())
                        .add(o.rotary())
                        .add(o.eps())
                        .add(o.form())
                        .as(Code.COMPRESS);
            case LightningIndex o -> w.add(o.topK()).add(o.ratio()).as(Code.LIGHTNING_INDEX);
            case RingWrite _ -> w.as(Code.RING_WRITE);
            case MoeGate o ->
                w.add(o.topK())
                        .add(o.score())
                        .add(o.hashed())
                        .add(o.routeScale())
                        .as(Code.MOE_GATE);
            case MoeDispatch o -> w.add(o.experts()).add(o.first()).as(Code.MOE_DISPATCH);
            case MoePlaces o -> w.add(o.places()).add(o.table().slots()).as(Code.MOE_PLACES);
            case Unsort _ -> w.as(Code.UNSORT);
            case SwiGlu o -> w.add(o.limit()).add(o.weighted()).as(Code.SWIGLU);
            case MoeCombine _ -> w.as(Code.MOE_COMBINE);
            case HyperPre o ->
                w.add(o.streams())
                        .add(o.iterations())
                        .add(o.normEps())
                        .add(o.eps())
                        .as(Code.HYPER_PRE);
            case HyperPost _ -> w.as(Code.HYPER_POST);
            case HyperHead o -> w.add(o.streams()).add(o.normEps()).add(o.eps()).as(Code.HYPER_HEAD);
            case Add _ -> w.as(Code.ADD);
            case Mul _ -> w.as(Code.MUL);
            case Scale o -> w.add(o.factor()).as(Code.SCALE);
            case Cast _ -> w.as(Code.CAST);
            case Concat _ -> w.as(Code.CONCAT);
            case Slice o -> w.add(o.from()).add(o.to()).as(Code.SLICE);
            case Softmax _ -> w.as(Code.SOFTMAX);
            case TopK o -> w.add(o.k()).as(Code.TOP_K);
            case Sample _, NewtonSchulz _ -> Optional.empty();
            case AllReduce _, AllGather _, ReduceScatter _, AllToAll _, AllToAllV _, Broadcast _ -> Optional.empty();
            case MoeGather _, MoeSend _, MoeReturn _ -> Optional.empty();
            case RowCounts _, GatherRows _, ScatterColumns _, GatherColumns _ -> Optional.empty();
        };
        return code.map(c -> new Encoding(c.ordinal(), w.words));
    }

    /** The encoding of several nodes. */
    static Encoding of(Fused fused, SegmentAllocator allocator) {
        Words w = new Words(allocator);
        Code code = switch (fused) {
            case GatedProduct gated -> {
                w.add(gated.activation().limit())
                        .add(gated.activation().weighted())
                        .add(gated.isQuantised());
                yield gated.hasExperts() ? Code.GATED_EXPERT_GEMM : Code.GATED_GEMM;
            }
            case HyperStep step -> {
                HyperPre e = step.entry();
                w.add(e.streams()).add(e.iterations()).add(e.normEps()).add(e.eps());
                w.add(step.norm().eps()).add(step.leaves()).add(step.isQuantised());
                yield Code.HYPER_STEP;
            }
        };
        return new Encoding(code.ordinal(), w.words);
    }

    /** Whether {@code opcode} is that of a {@link GatedProduct}. */
    static boolean isGated(long opcode) {
        return opcode == Code.GATED_GEMM.ordinal() || opcode == Code.GATED_EXPERT_GEMM.ordinal();
    }

    /** Attribute words under construction. */
    private static final class Words {
        private static final int MOST = 8;

        private final SegmentAllocator allocator;
        private final MemorySegment words;
        private int count;

        Words(SegmentAllocator allocator) {
            this.allocator = allocator;
            this.words = allocator.allocate(ValueLayout.JAVA_LONG, MOST);
        }

        Words add(long value) {
            words.setAtIndex(ValueLayout.JAVA_LONG, count++, value);
            return this;
        }

        Words add(int value) {
            return add((long) value);
        }

        Words add(boolean value) {
            return add(value ? 1L : 0L);
        }

        Words add(Enum<?> value) {
            return add((long) value.ordinal());
        }

        /** The header wants the bits of a double. */
        Words add(float value) {
            return add(Double.doubleToRawLongBits(value));
        }

        /** Address of numbers. */
        Words add(int[] numbers) {
            return add(allocator.allocateFrom(ValueLayout.JAVA_INT, numbers).address());
        }

        /** Rotated lanes, address of the inverse frequencies, a spare word. */
        Words add(RotaryParameters rotary) {
            MemorySegment table = allocator.allocateFrom(ValueLayout.JAVA_FLOAT, rotary.inverseFrequencies());
            return add(rotary.dim()).add(table.address()).add(0L);
        }

        Optional<Code> as(Code code) {
            return Optional.of(code);
        }
    }
}
