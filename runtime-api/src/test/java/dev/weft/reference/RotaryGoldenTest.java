package dev.weft.reference;

import dev.weft.op.Rotary;
import dev.weft.op.RotaryParameters;
import java.util.Locale;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Rotary frequencies, cosine and sine tables, and the rotation. */
class RotaryGoldenTest {
    private static final int[] POSITIONS = {0, 1, 2, 7, 127, 128, 1000, 4095, 65535, 65536, 262143, 1048575};

    @ParameterizedTest
    @CsvSource({
        "micro.main, PLAIN10000",
        "micro.compress, YARN_SMALL",
        "tiny-flash.main, PLAIN10000",
        "tiny-flash.compress, YARN_FLASH",
        "tiny-pro.main, PLAIN10000",
        "tiny-pro.compress, YARN_B"
    })
    void inverseFrequencies(String name, GoldenRotary table) {
        float[] expected = GoldenTensors.rotaryFrequencies().floats(name);
        Deviation.assertSameBits(name, expected, table.parameters().inverseFrequencies());
    }

    @ParameterizedTest
    @EnumSource
    void tables(GoldenRotary table) {
        GoldenTensors golden = GoldenTensors.ops();
        String prefix = "rope." + table.name().toLowerCase(Locale.ROOT);
        float[] cos = golden.floats(prefix + ".cos");
        float[] sin = golden.floats(prefix + ".sin");
        float[] rotated = rotateUnits(table.parameters());
        float[] pairs = new float[cos.length + sin.length];
        for (int i = 0; i < cos.length; i++) {
            pairs[2 * i] = cos[i];
            pairs[2 * i + 1] = sin[i];
        }
        Deviation.assertAbsolute(prefix, 2e-7, pairs, rotated);
    }

    /** The rotation of (1, 0) is (cos, sin). */
    private static float[] rotateUnits(RotaryParameters parameters) {
        float[] units = new float[POSITIONS.length * parameters.dim()];
        for (int i = 0; i < units.length; i += 2) {
            units[i] = 1;
        }
        Operand x = Operand.f32(units, POSITIONS.length, parameters.dim());
        return RefRun.one(new Rotary(parameters, false), x, Operand.i32(POSITIONS, POSITIONS.length))
                .floats();
    }

    @ParameterizedTest
    @CsvSource({"fwd, false", "inv, true"})
    void rotation(String name, boolean inverse) {
        GoldenTensors golden = GoldenTensors.ops();
        Operand x = Operand.of(golden, "rope_apply.x");
        Operand positions = Operand.i32(new int[] {0, 1, 5, 130, 255, 299}, 6);
        Operand y = RefRun.one(new Rotary(GoldenRotary.YARN_FLASH.parameters(), inverse), x, positions);
        Deviation.assertAbsolute("rope_apply." + name, 1e-6, golden.floats("rope_apply." + name), y.floats());
    }
}
