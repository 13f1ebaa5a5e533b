package dev.weft.reference;

import dev.weft.op.Hadamard;
import dev.weft.op.RmsNorm;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Normalisation and the Hadamard rotation. */
class NormGoldenTest {
    private final GoldenTensors golden = GoldenTensors.ops();

    @ParameterizedTest
    @ValueSource(strings = {"hadamard64", "hadamard128"})
    void hadamard(String prefix) {
        Operand y = RefRun.one(new Hadamard(), Operand.of(golden, prefix + ".x"));
        Deviation.assertAbsolute(prefix, 1e-6, golden.floats(prefix + ".y"), y.floats());
    }

    @Test
    void rmsNorm() {
        Operand x = Operand.of(golden, "rmsnorm.x");
        Operand y = RefRun.one(new RmsNorm(1e-6f), x, Operand.of(golden, "rmsnorm.weight"));
        Deviation.assertRelative("rmsnorm", 1e-6, golden.floats("rmsnorm.y"), y.floats());
    }
}
