package dev.weft.backend.ascend;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.conformance.Data;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.Operand;
import dev.weft.op.ExpertGemm;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.HeadNorm;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.LightningIndex;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.Quantize;
import dev.weft.op.Reach;
import dev.weft.op.Rotary;
import dev.weft.op.RotaryParameters;
import dev.weft.op.SparseAttention;
import dev.weft.op.SwiGlu;
import java.util.List;

/**
 * Cases of the model's own sizes where fused operators ask for them; the conformance suite's small and odd ones make those
 * operators give way.
 *
 * @param op the case
 * @param on950 leading function expected on Ascend 950
 * @param on910 leading function expected on Atlas A3 and A2
 */
public record LegalSizes(OpCase op, String on950, String on910) {
    private static final String COMPOSITE = "composite";

    private static final int ROWS = 7;

    private static Operand fp8(long... dims) {
        return Operand.of(TensorType.of(DType.F8_E4M3, dims).scaled(Scaling.FP8_GROUP_128), Data.random());
    }

    private static Operand fp8Weight(long... dims) {
        return Operand.of(TensorType.of(DType.F8_E4M3, dims).scaled(Scaling.FP8_BLOCK_128), Data.random());
    }

    private static Operand fp4Weight(long... dims) {
        return Operand.of(TensorType.of(DType.F4_E2M1, dims).scaled(Scaling.MXFP4), Data.random());
    }

    private static Operand bf16(long... dims) {
        return Operand.random(DType.BF16, dims);
    }

    /** Different experts in every row, ascending. */
    private static int[] choices(int rows, int perRow, int experts) {
        int[] all = new int[rows * perRow];
        for (int i = 0; i < all.length; i++) {
            all[i] = (i / perRow * 31 + i % perRow * 37) % (experts - perRow * 37) + i % perRow * 37;
        }
        return all;
    }

    /** One case or more per fused operator. */
    public static List<LegalSizes> all() {
        Gemm gemm = new Gemm(DType.BF16);
        Operand offsets = Operand.ints(new int[] {0, 3, 3, 4, ROWS}, 5);
        Operand positions = Operand.ints(new int[] {0, 1, 2, 4095, 65535, 1_000_000, 77}, ROWS);
        RotaryParameters yarn = new RotaryParameters(64, 160000, 16, 65536, 32, 1);
        return List.of(
                new LegalSizes(OpCase.of(gemm, fp8(ROWS, 512), fp8Weight(256, 512)), "aclnnQuantMatmulV5", COMPOSITE),
                new LegalSizes(OpCase.of(gemm, fp8(ROWS, 256), fp4Weight(128, 256)), "aclnnQuantMatmulV5", COMPOSITE),
                new LegalSizes(OpCase.of(gemm, bf16(ROWS, 512), bf16(256, 512)), "aclnnMatmul", "aclnnMatmul"),
                new LegalSizes(
                        OpCase.of(new Gemm(DType.F32), bf16(ROWS, 512), bf16(64, 512)), "aclnnFusedMatmul", COMPOSITE),
                new LegalSizes(
                        OpCase.of(new GroupedGemm(DType.BF16), bf16(ROWS, 4, 256), fp8Weight(4, 128, 256)),
                        "aclnnTransposeBatchMatMul",
                        "aclnnTransposeBatchMatMul"),
                new LegalSizes(
                        OpCase.of(new ExpertGemm(DType.BF16), fp8(ROWS, 256), fp4Weight(4, 128, 256), offsets),
                        "aclnnGroupedMatmulWeightNz",
                        COMPOSITE),
                new LegalSizes(
                        OpCase.of(new ExpertGemm(DType.BF16), fp8(ROWS, 192), fp4Weight(4, 64, 192), offsets),
                        "aclnnGroupedMatmulWeightNz",
                        COMPOSITE),
                new LegalSizes(
                        OpCase.of(new ExpertGemm(DType.F32), fp8(ROWS, 256), fp8Weight(4, 128, 256), offsets),
                        "aclnnGroupedMatmulV5",
                        COMPOSITE),
                new LegalSizes(
                        OpCase.of(
                                new SwiGlu(10, true),
                                bf16(ROWS, 256),
                                bf16(ROWS, 256),
                                Operand.random(DType.F32, ROWS)),
                        "aclnnSwigluGroup",
                        COMPOSITE),
                new LegalSizes(
                        OpCase.of(new Rotary(yarn, true), bf16(ROWS, 8, 512), positions),
                        "aclnnInplacePartialRotaryMul",
                        "aclnnInplacePartialRotaryMul"),
                new LegalSizes(
                        OpCase.of(
                                new HyperPre(4, 20, 1e-6f, 1e-6f),
                                bf16(ROWS, 4, 4096),
                                Operand.random(DType.F32, 24, 4 * 4096),
                                Operand.random(DType.F32, 3),
                                Operand.random(DType.F32, 24)),
                        "aclnnMhcPreSinkhorn",
                        "aclnnMhcPreSinkhorn"),
                new LegalSizes(
                        OpCase.of(
                                new HyperPost(),
                                bf16(ROWS, 512),
                                bf16(ROWS, 4, 512),
                                Operand.random(DType.F32, ROWS, 4),
                                Operand.random(DType.F32, ROWS, 4, 4)),
                        "aclnnMhcPost",
                        "aclnnMhcPost"),
                new LegalSizes(
                        OpCase.of(
                                new MoeGate(6, MoeGate.Score.SQRT_SOFTPLUS, true, 1.5f),
                                Operand.random(DType.F32, ROWS, 256),
                                Operand.ints(new int[] {0, 3, 1, 2, 0, 1, 3}, ROWS),
                                Operand.ints(choices(4, 6, 256), 4, 6)),
                        "aclnnMoeGatingTopKV2",
                        COMPOSITE),
                new LegalSizes(
                        OpCase.of(
                                new MoeDispatch(256),
                                bf16(ROWS, 512),
                                Operand.ints(choices(ROWS, 6, 256), ROWS, 6),
                                Operand.random(DType.F32, ROWS, 6)),
                        "aclnnMoeInitRoutingV3",
                        "aclnnMoeInitRoutingV3"),
                new LegalSizes(OpCase.of(new HeadNorm(1e-6f), bf16(ROWS, 8, 512)), "aclnnRmsNorm", "aclnnRmsNorm"),
                new LegalSizes(
                        OpCase.of(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), bf16(ROWS, 1024)),
                        "aclnnCast",
                        COMPOSITE),
                new LegalSizes(
                        OpCase.of(new FakeQuantize(DType.F8_E4M3, 64, 448), bf16(ROWS, 512)), "aclnnCast", COMPOSITE),
                new LegalSizes(
                        OpCase.of(new FakeQuantize(DType.F4_E2M1, 32, 128), bf16(ROWS, 64, 128)),
                        "aclnnCast",
                        COMPOSITE),
                new LegalSizes(index(), COMPOSITE, "aclnnLightningIndexerV2"),
                new LegalSizes(attention(), "aclnnSparseFlashMla", "aclnnSparseFlashMla"));
    }

    /** Two sequences, one of them with more entries than picks; pages of 32 entries. */
    private static OpCase index() {
        return OpCase.of(
                new LightningIndex(16, 4),
                bf16(ROWS, 8, 128),
                bf16(ROWS, 8),
                bf16(6, 32, 128),
                Operand.ints(new int[] {96, 97, 98, 99, 100, 400, 401}, ROWS),
                Operand.ints(new int[] {0, 5, ROWS}, 3),
                Operand.ints(new int[] {3, -1, -1, -1, 0, 5, 2, 1}, 2, 4));
    }

    /** Two sequences, one of them longer than its window. */
    private static OpCase attention() {
        return OpCase.of(
                new SparseAttention(128, 1, Reach.WINDOW, 0.044f),
                bf16(ROWS, 4, 512),
                bf16(ROWS, 512),
                bf16(3, 130, 512),
                Operand.random(DType.F32, 4),
                Operand.ints(new int[] {9, 10, 11, 12, 13, 400, 401}, ROWS),
                Operand.ints(new int[] {0, 5, ROWS}, 3),
                Operand.ints(new int[] {2, 0}, 2));
    }

    @Override
    public String toString() {
        return on950 + " or " + on910 + ": " + op;
    }
}
