package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * A contract: what an operator computes, from which operands, with which rounding points. One record per operator; the
 * record holds attributes, {@link OpInstance} adds the operand types. Kernels live in backends, the readable scalar
 * kernel of every operator in {@code dev.weft.reference}.
 *
 * <p>Rules common to all operators. Sums are formed in F32 or wider and in an order that does not depend on how many
 * rows a call has, so that a row's result has the same bits in any batch. "Flow" means the dtype of the activations:
 * in an F32 flow the roundings marked "bf16" do not happen. NaN in gives NaN out. Zero rows are legal and return at
 * once. The last axis of every operand is contiguous and so are all axes but the first, which may have a larger pitch.
 * Addresses are 64-bit.
 */
public sealed interface Op
        permits Gather,
                Expand,
                RmsNorm,
                HeadNorm,
                Rotary,
                Quantize,
                Dequantize,
                FakeQuantize,
                Hadamard,
                Gemm,
                GroupedGemm,
                ExpertGemm,
                SparseAttention,
                Compress,
                LightningIndex,
                RingWrite,
                MoeGate,
                MoeDispatch,
                SwiGlu,
                MoeCombine,
                MoePlaces,
                Unsort,
                HyperPre,
                HyperPost,
                HyperHead,
                Add,
                Mul,
                Scale,
                Cast,
                Concat,
                Slice,
                Softmax,
                TopK,
                Sample,
                NewtonSchulz,
                AllReduce,
                AllGather,
                ReduceScatter,
                AllToAll,
                AllToAllV,
                Broadcast,
                MoeGather,
                MoeSend,
                MoeReturn,
                RowCounts,
                GatherRows,
                ScatterColumns,
                GatherColumns {

    /** Operator name as in graphs, tables and messages: the record's name in lower camel case. */
    default String name() {
        String simple = getClass().getSimpleName();
        return Character.toLowerCase(simple.charAt(0)) + simple.substring(1);
    }

    /** Operand names in order, for messages and printing. */
    List<String> operands();

    /**
     * Result types from operand types.
     *
     * @throws dev.weft.ShapeException if a shape rule of the contract is broken
     * @throws dev.weft.DTypeException if a dtype rule of the contract is broken
     */
    List<TensorType> infer(List<TensorType> in);

    /**
     * Index of the operand that result {@code output} updates in place, or -1. Such an operand is a graph state and is
     * not usable afterwards under its old value.
     */
    default int updates(int output) {
        return -1;
    }

    /**
     * Arithmetic of one call with operands of the given fixed types; multiply and add count as two.
     *
     * <p>Where the work depends on values (how many keys a query sees), this is the work of the longest list.
     */
    double flops(List<TensorType> in);

    /** Bytes one call has to move at least: each operand read and each result written once, scales included. */
    default double bytes(List<TensorType> in) {
        double sum = 0;
        for (TensorType t : in) {
            sum += (double) t.maxDataBytes() + t.maxScaleBytes();
        }
        for (TensorType t : infer(in)) {
            sum += (double) t.maxDataBytes() + t.maxScaleBytes();
        }
        return sum;
    }

    /** How far a kernel may be from the reference. */
    default Tolerance tolerance(List<TensorType> in) {
        return Tolerance.of(infer(in).getFirst().dtype());
    }
}
