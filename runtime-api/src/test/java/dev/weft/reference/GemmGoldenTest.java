package dev.weft.reference;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.op.Dequantize;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Quantize;
import dev.weft.op.SwiGlu;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Matrix products, and the expert that is made of them. */
class GemmGoldenTest {
    private static final Gemm GEMM = new Gemm(DType.F32);
    private static final Quantize QUANTIZE = new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128);
    private final GoldenTensors golden = GoldenTensors.ops();

    private Operand weight(String prefix) {
        return prefix.equals("gemm_fp8")
                ? GoldenWeights.fp8(golden, prefix + ".w", prefix + ".w_scale")
                : GoldenWeights.fp4(golden, prefix + ".w", prefix + ".w_scale");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gemm_fp8", "gemm_fp4"})
    void blockScaledWeights(String prefix) {
        Operand y = RefRun.one(GEMM, Operand.of(golden, prefix + ".a"), weight(prefix));
        String name = prefix + ".out_noquant";
        Deviation.assertRelativeToMax(name, 1e-5, golden.floats(name), y.floats());
    }

    @ParameterizedTest
    @ValueSource(strings = {"gemm_fp8", "gemm_fp4"})
    void quantisedActivations(String prefix) {
        Operand a = RefRun.one(QUANTIZE, Operand.of(golden, prefix + ".a"));
        float[] expected = golden.floats(prefix + ".out_actquant");
        Operand y = RefRun.one(GEMM, a, weight(prefix));
        Deviation.assertRelativeToMax(prefix + ".out_actquant", 1e-5, expected, y.floats());
        Operand widened = RefRun.one(GEMM, RefRun.one(new Dequantize(DType.F32), a), weight(prefix));
        Deviation.assertSameBits(prefix + " codes or values", y.floats(), widened.floats());
    }

    /** Three experts holding the same weight, one of them without rows: every row must meet the plain product. */
    @ParameterizedTest
    @ValueSource(strings = {"gemm_fp8", "gemm_fp4"})
    void expertsUseTheirOwnSlice(String prefix) {
        Operand one = weight(prefix);
        long[] shape = one.type().shape().maximum();
        Operand three = Operand.codes(
                one.type().dtype(),
                one.type().scaling(),
                repeat(one.bytes(), 3),
                repeat(one.scaleBytes(), 3),
                3,
                shape[0],
                shape[1]);
        Operand a = Operand.of(golden, prefix + ".a");
        Operand y = RefRun.one(new ExpertGemm(DType.F32), a, three, Operand.i32(new int[] {0, 3, 3, 7}, 4));
        Deviation.assertSameBits(prefix + " experts", RefRun.one(GEMM, a, one).floats(), y.floats());
    }

    private static byte[] repeat(byte[] bytes, int times) {
        byte[] out = new byte[bytes.length * times];
        for (int i = 0; i < times; i++) {
            System.arraycopy(bytes, 0, out, i * bytes.length, bytes.length);
        }
        return out;
    }

    @Test
    void groupedOutputProjection() {
        Operand o = Operand.of(golden, "wo_a.o");
        Operand w = Operand.of(golden, "wo_a.w").shaped(2, 24, 96);
        Operand y = RefRun.one(new GroupedGemm(DType.F32), o, w);
        Deviation.assertAbsolute("wo_a", 2e-6, golden.floats("wo_a.out"), y.floats());
    }

    @Test
    void expertWithRoutingWeight() {
        Operand weight = Operand.of(golden, "expert.route_weight").shaped(6);
        Operand h = RefRun.one(new SwiGlu(1.5f, true), project("expert.w1"), project("expert.w3"), weight);
        Operand y = RefRun.one(GEMM, h, Operand.of(golden, "expert.w2"));
        Deviation.assertAbsolute("expert.out", 2e-6, golden.floats("expert.out"), y.floats());
    }

    @Test
    void expertWithoutRoutingWeight() {
        Operand h = RefRun.one(new SwiGlu(1.5f, false), project("expert.w1"), project("expert.w3"));
        Operand y = RefRun.one(GEMM, h, Operand.of(golden, "expert.w2"));
        Deviation.assertAbsolute("expert.out_noweight", 2e-6, golden.floats("expert.out_noweight"), y.floats());
    }

    private Operand project(String weight) {
        return RefRun.one(GEMM, Operand.of(golden, "expert.x"), Operand.of(golden, weight));
    }
}
