package dev.weft.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.RequestException;
import dev.weft.TensorType;
import dev.weft.bench.Rounds;
import dev.weft.conformance.toy.ToyFaults;
import dev.weft.conformance.toy.ToyFaults.Mistake;
import dev.weft.conformance.toy.ToyProvider;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Two toy accelerators, one of them with a planted fault, on graphs that are no models. */
class ComparisonTest {
    private static final DeviceId OTHER = DeviceId.parse("faulty:0");

    private final ToyFaults faults = new ToyFaults().delays(0);

    private static Graph norm() {
        GraphBuilder g = Graph.builder("norm");
        Value x = g.input("x", TensorType.of(DType.BF16, 32, 64));
        Value y = g.rmsNorm(x, g.weight("w", TensorType.of(DType.BF16, 64)), 1e-6f);
        return g.output("y", g.add(y, x)).build();
    }

    private ModeReport compare(Comparison comparison) {
        ToyProvider faulty = new ToyProvider(faults, "faulty");
        try (Backends backends = Backends.of(BackendConfig.DEFAULT, List.of(new ToyProvider(), faulty));
                Weft weft = Weft.of(backends)) {
            return comparison
                    .reference(weft.device("toy:0"))
                    .candidates(weft.devices())
                    .rounds(new Rounds(1, 0))
                    .run();
        }
    }

    @Test
    void theSameKernelsGiveTheSameBits() {
        ModeReport report = compare(Comparison.of(norm()).randomInputs(42));
        assertThat(report.passed()).isTrue();
        assertThat(report.mode()).isEmpty();
        assertThat(report.devices())
                .hasSize(3)
                .allSatisfy(
                        d -> { // without the reference
                            assertThat(d.id()).isNotEqualTo(report.reference().id());
                            assertThat(d.endToEnd()).hasValue(new EndToEnd(32, 32, 0, 0, 0, 0));
                            assertThat(d.times()).isEmpty(); // an emulator
                        });
        assertThat(report.table()).contains("norm against toy:0", "faulty:0: 2 nodes right, 0 wrong");
    }

    @Test
    void aWrongKernelIsNamedAndItsErrorPropagates() {
        faults.plant("rmsNorm", Mistake.WRONG_ELEMENT);
        ModeReport report = compare(Comparison.of(norm()).randomInputs(42));
        assertThat(report.passed()).isFalse();
        assertThat(report.table())
                .contains("1 nodes right, 1 wrong", "faulty:0: first wrong node: run rmsNorm")
                .containsPattern("faulty:0 +wrong .* run rmsNorm \\[31, 63]")
                .containsPattern("faulty:0 +right .* run add");
        assertThat(report.devices().getFirst().endToEnd()).hasValueSatisfying(e -> {
            assertThat(e.largest()).isPositive();
            assertThat(List.of(e.row(), e.token())).containsExactly(31, 63);
        });
    }

    @Test
    void anOperatorsFormsStartFromTheStatesOfTheirCases() {
        try (OperatorCases cases = OperatorCases.of("compress")) {
            ModeReport report = compare(cases.comparison());
            assertThat(report.table()).contains(cases.graph().nodes().size() + " nodes right, 0 wrong");
            assertThat(report.nodes())
                    .hasSizeGreaterThan(10)
                    .allSatisfy(
                            n -> assertThat(((NodeOutcome.Compared) n.outcomes().get(OTHER))
                                            .difference()
                                            .elements())
                                    .isPositive());
        }
    }

    @Test
    void whatIsMissingIsSaid() {
        GraphBuilder g = Graph.builder("table");
        Value ids = g.input("ids", TensorType.of(DType.I32, 3));
        Graph embedding = g.output("y", g.embedding(g.weight("t", TensorType.of(DType.F32, 5, 4)), ids))
                .build();
        assertThatThrownBy(() -> compare(Comparison.of(embedding).randomInputs(1)))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("'ids")
                .hasMessageContaining("input(name, data)");
        assertThatThrownBy(() -> compare(Comparison.of(norm())))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("randomInputs");
        assertThatThrownBy(() -> Comparison.of(norm()).run())
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("reference");
        assertThatThrownBy(() -> OperatorCases.of("gem"))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("gemm");
    }
}
