package dev.weft.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.weft.DType;
import dev.weft.op.Cast;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Values of every code, and roundings with ties. */
class CodecGoldenTest {
    private final GoldenTensors golden = GoldenTensors.ops();

    @ParameterizedTest
    @CsvSource({"table.e4m3, F8_E4M3", "table.e8m0, F8_E8M0", "table.e2m1, F4_E2M1"})
    void everyCode(String name, DType dtype) {
        float[] expected = golden.floats(name);
        float[] actual = new float[expected.length];
        for (int code = 0; code < actual.length; code++) {
            actual[code] = dtype.decode(code);
        }
        Deviation.assertSameBits(name, expected, actual);
    }

    @ParameterizedTest
    @CsvSource({"cast_e4m3, codes, F8_E4M3", "cast_e2m1, codes, F4_E2M1", "cast_bf16, bits, BF16"})
    void roundsToNearestEven(String prefix, String codes, DType dtype) {
        float[] x = golden.floats(prefix + ".x");
        int[] actual = IntStream.range(0, x.length).map(i -> dtype.encode(x[i])).toArray();
        assertArrayEquals(golden.ints(prefix + "." + codes), actual, prefix);
    }

    @Test
    void castOperator() {
        Operand narrow = RefRun.one(new Cast(DType.BF16), Operand.of(golden, "cast_bf16.x"));
        int[] bits = golden.ints("cast_bf16.bits");
        byte[] bytes = new byte[2 * bits.length];
        for (int i = 0; i < bits.length; i++) {
            bytes[2 * i] = (byte) bits[i];
            bytes[2 * i + 1] = (byte) (bits[i] >> 8);
        }
        assertArrayEquals(bytes, narrow.bytes());
    }
}
