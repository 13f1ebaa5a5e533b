package dev.weft.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.op.Dequantize;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Quantize;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Block quantisers: codes, scale bytes and dequantised values, bit for bit. */
class QuantGoldenTest {
    private final GoldenTensors golden = GoldenTensors.ops();

    @Test
    void fp8Weights() {
        Operand w = GoldenWeights.fp8(golden, "fp8w.codes", "fp8w.scale");
        Operand y = RefRun.one(new Dequantize(DType.F32), w);
        Deviation.assertSameBits("fp8w", golden.floats("fp8w.dequant"), y.floats());
    }

    @Test
    void fp4Weights() {
        Operand w = GoldenWeights.fp4(golden, "fp4w.packed", "fp4w.scale");
        Operand y = RefRun.one(new Dequantize(DType.F32), w);
        Deviation.assertSameBits("fp4w", golden.floats("fp4w.dequant"), y.floats());
    }

    @Test
    void activations128() {
        Operand x = Operand.of(golden, "act_quant128.x");
        Operand q = RefRun.one(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x);
        assertArrayEquals(golden.codes("act_quant128.codes"), q.bytes(), "codes");
        assertArrayEquals(golden.codes("act_quant128.scale"), q.scaleBytes(), "scale bytes");
        Operand y = RefRun.one(new Dequantize(DType.F32), q);
        Deviation.assertSameBits("act_quant128", golden.floats("act_quant128.dequant"), y.floats());
    }

    @ParameterizedTest
    @CsvSource({"act_quant128, F8_E4M3, 128, 512", "act_quant64, F8_E4M3, 64, 192", "fp4_act_quant32, F4_E2M1, 32, 128"
    })
    void thereAndBack(String prefix, DType dtype, int block, int lanes) {
        Operand x = Operand.of(golden, prefix + ".x");
        Operand y = RefRun.one(new FakeQuantize(dtype, block, lanes), x);
        Deviation.assertSameBits(prefix, golden.floats(prefix + ".dequant"), y.floats());
    }

    @Test
    void fp4CodesAreFakeQuantisation() {
        Operand x = Operand.of(golden, "fp4_act_quant32.x");
        Operand q = RefRun.one(new Quantize(DType.F4_E2M1, Scaling.MXFP4), x);
        Operand y = RefRun.one(new Dequantize(DType.F32), q);
        Deviation.assertSameBits("fp4_act_quant32 codes", golden.floats("fp4_act_quant32.dequant"), y.floats());
    }

    @Test
    void lanesBehindTheQuantisedAreCopied() {
        Operand x = Operand.of(golden, "act_quant64.x");
        float[] y = RefRun.one(new FakeQuantize(DType.F8_E4M3, 64, 128), x).floats();
        float[] expected = golden.floats("act_quant64.dequant");
        for (int i = 0; i < expected.length; i++) {
            expected[i] = i % 192 < 128 ? expected[i] : x.floats()[i];
        }
        Deviation.assertSameBits("act_quant64, 128 lanes", expected, y);
    }
}
