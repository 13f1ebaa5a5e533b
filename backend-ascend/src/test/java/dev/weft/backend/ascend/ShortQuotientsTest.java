package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DeviceId;
import dev.weft.conformance.ModelSize;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpCases;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Outcome;
import dev.weft.spi.BackendDevice;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Units whose quotients are not rounded correctly, which no document excludes: one that falls short of a whole number must not
 * choose another row, page or expert.
 */
@Tag("long")
class ShortQuotientsTest {
    private static final Set<String> OPERATORS =
            Set.of("compress", "lightningIndex", "moeDispatch", "ringWrite", "sparseAttention");

    @Test
    void ofComposites() {
        check("Ascend950DT_9591", "ascend:0/composite", OpCases.all().stream());
    }

    @ParameterizedTest
    @ValueSource(strings = {"Ascend950DT_9591", "Ascend910_9382"})
    void beforeFusedOperators(String soc) {
        check(soc, "ascend:0", ModelSize.cases());
    }

    private static void check(String soc, String id, Stream<OpCase> cases) {
        try (Emulator emulator = Emulator.start()
                        .with("soc", soc)
                        .with("short_quotients", "1")
                        .with("delay", "0");
                AscendBackend backend = emulator.open();
                BackendDevice device = backend.open(DeviceId.parse(id))) {
            List<String> failed = cases.filter(
                            op -> OPERATORS.contains(op.instance().op().name()))
                    .flatMap(op -> OpRunner.run(device, op) instanceof Outcome.Failed f
                            ? Stream.of(op + ": " + f.message())
                            : Stream.of())
                    .toList();
            assertThat(failed).isEmpty();
        }
    }
}
