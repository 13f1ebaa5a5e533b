package dev.weft.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.weft.DType;
import dev.weft.op.Gemm;
import dev.weft.op.MoeGate;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Choice of experts and their weights. */
class GateGoldenTest {
    private static final int TOP_K = 4;
    private static final float ROUTE_SCALE = 2.5f;
    private final GoldenTensors golden = GoldenTensors.ops();

    private Operand logits(String prefix) {
        return RefRun.one(
                new Gemm(DType.F32), Operand.of(golden, prefix + ".x"), Operand.of(golden, prefix + ".weight"));
    }

    private void check(String prefix, List<Operand> results) {
        assertArrayEquals(
                golden.ints(prefix + ".indices_sorted"), results.get(0).ints(), prefix);
        Deviation.assertAbsolute(
                prefix, 2e-6, golden.floats(prefix + ".weights"), results.get(1).floats());
    }

    @ParameterizedTest
    @CsvSource({"gate_sqrtsoftplus, SQRT_SOFTPLUS", "gate_sigmoid, SIGMOID", "gate_softmax, SOFTMAX"})
    void scored(String prefix, MoeGate.Score score) {
        MoeGate gate = new MoeGate(TOP_K, score, false, ROUTE_SCALE);
        check(prefix, RefRun.all(gate, logits(prefix), Operand.of(golden, prefix + ".bias")));
    }

    @Test
    void hashed() {
        MoeGate gate = new MoeGate(TOP_K, MoeGate.Score.SQRT_SOFTPLUS, true, ROUTE_SCALE);
        Operand ids = Operand.i32(golden.ints("gate_hash.ids"), golden.shape("gate_hash.ids"));
        Operand table = Operand.i32(golden.ints("gate_hash.tid2eid"), golden.shape("gate_hash.tid2eid"));
        check("gate_hash", RefRun.all(gate, logits("gate_hash"), ids, table));
    }
}
