package dev.weft.verify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DeviceId;
import dev.weft.bench.Rounds;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.conformance.toy.ToyFaults;
import dev.weft.conformance.toy.ToyFaults.Mistake;
import dev.weft.conformance.toy.ToyProvider;
import dev.weft.io.Checkpoint;
import dev.weft.model.NumericMode;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Two toy accelerators, one of them with a planted fault, on the small golden model. */
class ModelComparisonTest {
    private static final DeviceId REFERENCE = DeviceId.parse("toy:0");
    private static final DeviceId OTHER = DeviceId.parse("faulty:0");

    private final ToyFaults faults = new ToyFaults().delays(0);

    @Test
    void theSameKernelsDifferNowhere() {
        ModeReport report = compare();
        assertThat(report.passed()).isTrue();
        assertThat(report.count(OTHER, NodeOutcome::isRight))
                .isEqualTo(report.nodes().size())
                .isGreaterThan(100);
        assertThat(report.nodes())
                .allSatisfy(n -> assertThat(n.outcomes().get(OTHER))
                        .isInstanceOfSatisfying(NodeOutcome.Compared.class, c -> {
                            assertThat(c.difference().differing()).isZero();
                            assertThat(c.kernel()).isEqualTo(n.node().op().name() + "/toy");
                        }));
        DeviceRun run = report.devices().getFirst();
        assertThat(run.endToEnd()).hasValueSatisfying(e -> {
            assertThat(e.largest()).isZero();
            assertThat(e.agreeing()).isEqualTo(e.rows()).isEqualTo(12);
        });
        assertThat(run.times()).isEmpty(); // an emulator
    }

    @Test
    void aPlantedWrongKernelIsTheFirstNodeOverItsTolerance() {
        faults.plant("headNorm", Mistake.WRONG_ELEMENT);
        ModeReport report = compare();
        assertThat(report.passed()).isFalse();
        assertThat(report.firstWrong(OTHER)).hasValueSatisfying(n -> {
            assertThat(n.step()).isEqualTo(ModelComparison.PREFILL);
            assertThat(n.node().label()).startsWith("layers.0.").endsWith("headNorm");
            NodeOutcome.Compared c = (NodeOutcome.Compared) n.outcomes().get(OTHER);
            assertThat(c.violation()).hasValueSatisfying(v -> assertThat(v).contains("result 0"));
            Difference d = c.difference();
            assertThat(d.differing()).isEqualTo(1);
            assertThat(d.share()).isGreaterThan(1);
            // the last element, whose highest exponent bit is flipped
            assertThat(Math.abs(d.largest().found() - d.largest().expected()))
                    .isEqualTo(d.largest().amount())
                    .isPositive();
            assertThat(d.ulps()).hasValueSatisfying(u -> assertThat(u.amount()).isEqualTo(1 << 30));
        });
        // fed with the reference's operands, no other operator is wrong
        assertThat(report.nodes())
                .allSatisfy(n -> assertThat(n.outcomes().get(OTHER).isWrong())
                        .isEqualTo(n.node().op().name().equals("headNorm")));
        assertThat(report.devices().getFirst().endToEnd())
                .hasValueSatisfying(e -> assertThat(e.largest()).isPositive());
    }

    @Test
    void whatHasNoKernelIsListedAndNotPassed() {
        faults.refuse("swiGlu", "no activation unit");
        ModeReport report = compare();
        assertThat(report.passed()).isFalse();
        assertThat(report.firstWrong(OTHER)).isEmpty();
        long refused = report.count(
                OTHER, o -> o instanceof NodeOutcome.Unsupported u && u.reason().contains("no activation unit"));
        assertThat(refused).isPositive();
        assertThat(report.count(OTHER, NodeOutcome::isRight))
                .isEqualTo(report.nodes().size() - refused);
        assertThat(report.devices().getFirst().problem())
                .hasValueSatisfying(p -> assertThat(p).contains("no activation unit"));
    }

    @Test
    void anAbsentDeviceIsReportedWithItsReason() {
        ModeReport report = compare(DeviceId.parse("toy:7"));
        assertThat(report.passed()).isFalse();
        assertThat(report.devices().getFirst().machine()).isEmpty();
        assertThat(report.devices().getFirst().problem())
                .hasValueSatisfying(p -> assertThat(p).contains("toy:7"));
    }

    private ModeReport compare() {
        return compare(OTHER);
    }

    private ModeReport compare(DeviceId other) {
        ToyProvider faulty = new ToyProvider(faults, "faulty");
        try (Backends backends = Backends.of(BackendConfig.DEFAULT, List.of(new ToyProvider(), faulty));
                Weft weft = Weft.of(backends);
                Checkpoint checkpoint = Checkpoint.open(GoldenModel.micro().directory())) {
            int[] tokens = IntStream.range(0, 12).toArray();
            ModelComparison.Plan plan = new ModelComparison.Plan(
                    REFERENCE, List.of(other, REFERENCE), NumericMode.FP32, tokens, 2, new Rounds(1, 0));
            return ModelComparison.run(backends, weft, checkpoint, plan, done -> {});
        }
    }
}
