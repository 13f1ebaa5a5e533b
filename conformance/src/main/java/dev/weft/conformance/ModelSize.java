package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.op.ExpertGemm;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Hadamard;
import dev.weft.op.HeadNorm;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.LightningIndex;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.Quantize;
import dev.weft.op.Reach;
import dev.weft.op.RmsNorm;
import dev.weft.op.Rotary;
import dev.weft.op.RotaryParameters;
import dev.weft.op.SparseAttention;
import dev.weft.op.SwiGlu;
import java.util.Arrays;
import java.util.stream.Stream;

/**
 * Cases with the widths of the family's models and few rows. Fused operators of vendors ask for such widths; the small and
 * odd ones of {@link OpCases} make them give way. What the suite has at full size already is not repeated.
 */
public enum ModelSize {
    FP8_GEMM(gemm(DType.BF16, fp8(512), fp8Weight(256, 512))),
    FP4_GEMM(gemm(DType.BF16, fp8(256), fp4Weight(128, 256))),
    GEMM(gemm(DType.BF16, bf16(512), weight(256, 512))),
    GEMM_TO_F32(gemm(DType.F32, bf16(512), weight(64, 512))),
    GROUPED_GEMM(OpCase.of(new GroupedGemm(DType.BF16), bf16(4, 256), fp8Weight(4, 128, 256))),
    FP4_EXPERTS(experts(DType.BF16, fp8(256), fp4Weight(4, 128, 256))),
    NARROW_FP4_EXPERTS(experts(DType.BF16, fp8(192), fp4Weight(4, 64, 192))),
    FP8_EXPERTS(experts(DType.F32, fp8(256), fp8Weight(4, 128, 256))),
    SWIGLU(OpCase.of(new SwiGlu(10, true), bf16(256), bf16(256), f32())),
    ROTARY(OpCase.of(
            new Rotary(new RotaryParameters(64, 160000, 16, 65536, 32, 1), true),
            bf16(8, 512),
            ints(0, 1, 2, 4095, 65535, 1_000_000, 77))),
    HYPER_PRE(OpCase.of(
            new HyperPre(4, 20, 1e-6f, 1e-6f),
            bf16(4, 4096),
            Operand.random(DType.F32, 24, 4 * 4096),
            Operand.random(DType.F32, 3),
            Operand.random(DType.F32, 24))),
    HYPER_POST(OpCase.of(new HyperPost(), bf16(512), bf16(4, 512), f32(4), f32(4, 4))),
    HASHED_GATE(OpCase.of(
            new MoeGate(6, MoeGate.Score.SQRT_SOFTPLUS, true, 1.5f),
            f32(256),
            ints(0, 3, 1, 2, 0, 1, 3),
            choices(4, 6, 256))),
    DISPATCH(OpCase.of(new MoeDispatch(256), bf16(512), choices(7, 6, 256), f32(6))),
    RMS_NORM(OpCase.of(new RmsNorm(1e-6f), bf16(4096), Operand.random(DType.BF16, 4096))),
    HEAD_NORM(OpCase.of(new HeadNorm(1e-6f), bf16(8, 512))),
    HADAMARD(OpCase.of(new Hadamard(), bf16(8, 128))),
    QUANTIZE(OpCase.of(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), bf16(1024))),
    FP8_ENTRIES(OpCase.of(new FakeQuantize(DType.F8_E4M3, 64, 448), bf16(512))),
    FP4_KEYS(OpCase.of(new FakeQuantize(DType.F4_E2M1, 32, 128), bf16(64, 128))),
    /** Two sequences, one of them with more entries than picks; pages of 32 entries. */
    INDEX(OpCase.of(
            new LightningIndex(16, 4),
            bf16(8, 128),
            bf16(8),
            weight(6, 32, 128),
            ints(96, 97, 98, 99, 100, 400, 401),
            ints(0, 5, 7),
            Operand.ints(new int[] {3, -1, -1, -1, 0, 5, 2, 1}, 2, 4))),
    /** Two sequences, one of them longer than its window. */
    ATTENTION(OpCase.of(
            new SparseAttention(128, 1, Reach.WINDOW, 0.044f),
            bf16(4, 512),
            bf16(512),
            weight(3, 130, 512),
            Operand.random(DType.F32, 4),
            ints(9, 10, 11, 12, 13, 400, 401),
            ints(0, 5, 7),
            ints(2, 0)));

    private static final int ROWS = 7;

    private final OpCase op;

    ModelSize(OpCase op) {
        this.op = op;
    }

    /** The case. */
    public OpCase op() {
        return op;
    }

    /** All cases. */
    public static Stream<OpCase> cases() {
        return Arrays.stream(values()).map(ModelSize::op);
    }

    private static OpCase gemm(DType result, Operand x, Operand weight) {
        return OpCase.of(new Gemm(result), x, weight);
    }

    private static OpCase experts(DType result, Operand x, Operand weight) {
        return OpCase.of(new ExpertGemm(result), x, weight, ints(0, 3, 3, 4, 7));
    }

    private static long[] rows(long... dims) {
        long[] all = new long[dims.length + 1];
        all[0] = ROWS;
        System.arraycopy(dims, 0, all, 1, dims.length);
        return all;
    }

    private static Operand bf16(long... dims) {
        return Operand.random(DType.BF16, rows(dims));
    }

    private static Operand f32(long... dims) {
        return Operand.random(DType.F32, rows(dims));
    }

    private static Operand fp8(long width) {
        return Operand.of(TensorType.of(DType.F8_E4M3, rows(width)).scaled(Scaling.FP8_GROUP_128), Data.random());
    }

    private static Operand weight(long... dims) {
        return Operand.random(DType.BF16, dims);
    }

    private static Operand fp8Weight(long... dims) {
        return Operand.of(TensorType.of(DType.F8_E4M3, dims).scaled(Scaling.FP8_BLOCK_128), Data.random());
    }

    private static Operand fp4Weight(long... dims) {
        return Operand.of(TensorType.of(DType.F4_E2M1, dims).scaled(Scaling.MXFP4), Data.random());
    }

    private static Operand ints(int... values) {
        return Operand.ints(values, values.length);
    }

    /** Different experts in every row, ascending. */
    private static Operand choices(int rows, int perRow, int experts) {
        int[] all = new int[rows * perRow];
        for (int i = 0; i < all.length; i++) {
            all[i] = (i / perRow * 31 + i % perRow * 37) % (experts - perRow * 37) + i % perRow * 37;
        }
        return Operand.ints(all, rows, perRow);
    }
}
