package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DeviceId;
import dev.weft.conformance.ModelSize;
import dev.weft.conformance.OpCases;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Outcome;
import dev.weft.spi.BackendDevice;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Units whose quotients are not rounded correctly, which no document excludes: one that falls short of a whole number must not
 * choose another row, page or expert.
 */
@Tag("long")
class ShortQuotientsTest {
    private static final Set<String> OPERATORS =
            Set.of("compress", "lightningIndex", "moeDispatch", "ringWrite", "sparseAttention");

    @ParameterizedTest
    @CsvSource({"Ascend950DT_9591, ascend:0/composite", "Ascend910_9382, ascend:0"})
    void indicesAreExact(String soc, String id) {
        try (Emulator emulator = Emulator.start()
                        .with("soc", soc)
                        .with("short_quotients", "1")
                        .with("delay", "0");
                AscendBackend backend = emulator.open();
                BackendDevice device = backend.open(DeviceId.parse(id))) {
            List<String> failed = Stream.concat(OpCases.all().stream(), ModelSize.cases())
                    .filter(op -> OPERATORS.contains(op.instance().op().name()))
                    .flatMap(op -> OpRunner.run(device, op) instanceof Outcome.Failed f
                            ? Stream.of(op + ": " + f.message())
                            : Stream.of())
                    .toList();
            assertThat(failed).isEmpty();
        }
    }
}
