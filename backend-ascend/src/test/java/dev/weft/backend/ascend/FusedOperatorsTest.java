package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DeviceId;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Outcome;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Support;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sizes that fused operators accept: they are chosen, and compute what the reference computes. */
class FusedOperatorsTest {
    @ParameterizedTest
    @CsvSource({"Ascend950DT_9591, true", "Ascend950PR_9589, true", "Ascend910_9382, false"})
    void areChosenAndExact(String soc, boolean is950) {
        List<String> wrong = new ArrayList<>();
        try (Emulator emulator = Emulator.start().with("soc", soc)) {
            try (AscendBackend backend = emulator.open();
                    BackendDevice device = backend.open(DeviceId.parse("ascend:0"))) {
                for (LegalSizes c : LegalSizes.all()) {
                    String kernel = kernel(device.supports(c.op().instance()));
                    if (is950 && !kernel.endsWith("/" + c.on950())) {
                        wrong.add(c + ": runs as " + kernel);
                    }
                    if (!(OpRunner.run(device, c.op()) instanceof Outcome.Passed)) {
                        wrong.add(c + " as " + kernel + ": " + OpRunner.run(device, c.op()));
                    }
                }
            }
        }
        assertThat(wrong).isEmpty();
    }

    private static String kernel(Support support) {
        return switch (support) {
            case Support.Native n -> n.kernel();
            case Support.Emulated e -> e.kernel();
            case Support.Unsupported u -> "nothing: " + u.reason();
        };
    }
}
