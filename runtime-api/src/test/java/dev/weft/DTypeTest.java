package dev.weft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The float codecs, exhaustively for formats of 16 bits and fewer. */
class DTypeTest {

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4_E2M1"})
    void everyCodeSurvivesDecodeAndEncode(DType dtype) {
        for (int code = 0; code < 1 << dtype.bits(); code++) {
            float value = dtype.decode(code);
            if (Float.isNaN(value)) {
                assertTrue(Float.isNaN(dtype.round(value)), dtype + " code " + code);
            } else {
                assertEquals(code, dtype.encode(value), dtype + " code " + code);
            }
        }
    }

    /** Between neighbours: the middle goes to the even code, the next float on either side to the nearer code. */
    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16", "F8_E4M3", "F8_E5M2", "F4_E2M1"})
    void roundsToNearestAndTiesToEven(DType dtype) {
        int sign = 1 << (dtype.bits() - 1);
        for (int code = 0; code + 1 < sign && Float.isFinite(dtype.decode(code + 1)); code++) {
            float middle = (float) (((double) dtype.decode(code) + dtype.decode(code + 1)) / 2);
            String at = dtype + " between codes " + code + " and " + (code + 1);
            int even = code + (code & 1);
            assertEquals(even, dtype.encode(middle), at);
            assertEquals(sign | even, dtype.encode(-middle), at);
            assertEquals(code, dtype.encode(Math.nextDown(middle)), at);
            assertEquals(code + 1, dtype.encode(Math.nextUp(middle)), at);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "F8_E4M3, 449, 0x7E",
        "F8_E4M3, 1e30, 0x7E",
        "F8_E4M3, Infinity, 0x7E",
        "F8_E4M3, -Infinity, 0xFE",
        "F8_E5M2, 1e30, 0x7B",
        "F8_E5M2, -1e30, 0xFB",
        "F8_E5M2, Infinity, 0x7C",
        "F8_E5M2, -Infinity, 0xFC",
        "F4_E2M1, 7, 0x7",
        "F4_E2M1, Infinity, 0x7",
        "F4_E2M1, -Infinity, 0xF",
        "F4_E2M1, NaN, 0x7",
        "BF16, 3.4028235e38, 0x7F80",
        "BF16, Infinity, 0x7F80",
        "BF16, -Infinity, 0xFF80",
        "F16, 65519, 0x7BFF",
        "F16, 65520, 0x7C00",
        "F16, -Infinity, 0xFC00"
    })
    void beyondTheLargestValue(DType dtype, float value, String code) {
        assertEquals(Integer.decode(code), dtype.encode(value));
    }

    @ParameterizedTest
    @CsvSource({
        // name, smallest subnormal, smallest normal, largest
        "F8_E4M3, 0x1p-9, 0x1p-6, 448",
        "F8_E5M2, 0x1p-16, 0x1p-14, 57344",
        "F4_E2M1, 0.5, 1, 6",
        "BF16, 0x1p-133, 0x1p-126, 0x1.FEp127",
        "F16, 0x1p-24, 0x1p-14, 65504"
    })
    void rangeEnds(DType dtype, float subnormal, float normal, float largest) {
        assertEquals(subnormal, dtype.decode(1));
        assertEquals(normal, dtype.round(normal));
        assertEquals(normal - subnormal, dtype.round(normal - subnormal), "largest subnormal");
        assertEquals(largest, dtype.round(largest));
        assertEquals(0, dtype.encode(subnormal / 2), "tie between zero and the smallest");
        assertEquals(1, dtype.encode(Math.nextUp(subnormal / 2)));
        assertEquals(0, dtype.encode(Float.MIN_VALUE));
        assertEquals(1 << (dtype.bits() - 1), dtype.encode(-0f), "negative zero");
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16", "F16", "F8_E4M3", "F8_E5M2", "F8_E8M0"})
    void notANumberStays(DType dtype) {
        for (int bits : new int[] {0x7FC0_0000, 0xFFC0_0000, 0x7F80_0001}) {
            assertTrue(Float.isNaN(dtype.round(Float.intBitsToFloat(bits))), dtype + " " + Integer.toHexString(bits));
        }
    }

    @Test
    void powerOfTwoScaleIsNeverBelowTheValue() {
        for (int code = 0; code < 254; code++) {
            float power = DType.F8_E8M0.decode(code);
            assertEquals(Math.scalb(1.0, code - 127), power);
            assertEquals(code + 1, DType.F8_E8M0.encode(Math.nextUp(power)), "above code " + code);
        }
        assertEquals(254, DType.F8_E8M0.encode(0x1p127f));
        assertEquals(255, DType.F8_E8M0.encode(Math.nextUp(0x1p127f)), "no power of two is large enough");
        for (float least : new float[] {0f, -0f, -1f, Float.NEGATIVE_INFINITY, Float.MIN_VALUE, 0x1p-127f}) {
            assertEquals(0, DType.F8_E8M0.encode(least), "code of " + least);
        }
    }

    @Test
    void float32IsItself() {
        for (float value : new float[] {0f, -0f, 1.1f, Float.MIN_VALUE, Float.MAX_VALUE, Float.NEGATIVE_INFINITY}) {
            assertEquals(Float.floatToRawIntBits(value), DType.F32.encode(value));
            assertEquals(value, DType.F32.round(value));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"I8", "U8", "I16", "I32", "I64"})
    void integersHaveNoFloatCodec(DType dtype) {
        assertTrue(assertThrows(DTypeException.class, () -> dtype.encode(1))
                .getMessage()
                .contains(dtype.name()));
        assertTrue(assertThrows(DTypeException.class, () -> dtype.decode(1))
                .getMessage()
                .contains(dtype.name()));
    }

    @Test
    void sizes() {
        assertEquals(2, DType.F4_E2M1.bytes(4));
        assertEquals(12, DType.F32.bytes(3));
        assertThrows(DTypeException.class, () -> DType.F4_E2M1.bytes(3));
        assertThrows(DTypeException.class, () -> DType.F32.bytes(Long.MAX_VALUE));
    }
}
