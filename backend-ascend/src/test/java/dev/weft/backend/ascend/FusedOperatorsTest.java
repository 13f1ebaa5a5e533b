package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DeviceId;
import dev.weft.conformance.ModelSize;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Outcome;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Support;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Sizes that fused operators accept, on every product: the fused function is chosen, and it and its composite twin both
 * compute what the reference computes.
 */
class FusedOperatorsTest {
    @ParameterizedTest
    @CsvSource({"Ascend950DT_9591, true", "Ascend950PR_9589, true", "Ascend910_9382, false", "Ascend910B1, false"})
    void areChosenAndExact(String soc, boolean is950) {
        List<String> wrong = new ArrayList<>();
        try (Emulator emulator = Emulator.start().with("soc", soc).with("delay", "0");
                AscendBackend backend = emulator.open()) {
            try (BackendDevice device = backend.open(DeviceId.parse("ascend:0"))) {
                for (ModelSize size : ModelSize.values()) {
                    Leading leading = Leading.of(size);
                    check(device, size.op(), is950 ? leading.on950() : leading.on910(), wrong);
                }
            }
            try (BackendDevice device = backend.open(DeviceId.parse("ascend:0/composite"))) {
                for (ModelSize size : ModelSize.values()) {
                    check(device, size.op(), "composite", wrong);
                }
            }
        }
        assertThat(wrong).isEmpty();
    }

    private static void check(BackendDevice device, OpCase op, String function, List<String> wrong) {
        String kernel = kernel(device.supports(op.instance()));
        if (!kernel.endsWith("/" + function)) {
            wrong.add(op + ": runs as " + kernel + ", expected " + function);
        }
        Outcome outcome = OpRunner.run(device, op);
        if (!(outcome instanceof Outcome.Passed)) {
            wrong.add(op + " as " + kernel + ": " + outcome);
        }
    }

    /** What runs an instance, for messages. */
    static String kernel(Support support) {
        return switch (support) {
            case Support.Native n -> n.kernel();
            case Support.Emulated e -> e.kernel();
            case Support.Unsupported u -> "nothing: " + u.reason();
        };
    }
}
