package dev.weft.backend.ascend;

import dev.weft.conformance.BackendConformance;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/**
 * The conformance suite on the emulated products. Composites are the same calls on all of them: they run on a product with
 * narrow floats and on one without, whose operators take other types.
 */
@Tag("long")
class AscendConformanceTest {
    private static @Nullable Emulator emulator;

    @TestFactory
    Stream<DynamicNode> products() {
        emulator = Emulator.start().with("delay", "0");
        return Stream.of(
                suite("Ascend950DT_9591", "ascend:0"),
                suite("Ascend950DT_9591", "ascend:0/composite"),
                suite("Ascend950PR_9589", "ascend:0"),
                suite("Ascend910_9382", "ascend:0"),
                suite("Ascend910B1", "ascend:0"),
                suite("Ascend910B1", "ascend:0/composite"));
    }

    /** Each suite is a life of the runtime of its own: cases are asked for one suite after the other. */
    private static DynamicNode suite(String soc, String device) {
        return DynamicContainer.dynamicContainer(
                device + " on " + soc, Stream.of(soc).flatMap(s -> {
                    emulator.with("soc", s);
                    return new Suite(device).operators();
                }));
    }

    @AfterAll
    static void stop() {
        if (emulator != null) {
            emulator.close();
            emulator = null;
        }
    }

    private static final class Suite extends BackendConformance {
        private final String device;

        Suite(String device) {
            this.device = device;
        }

        @Override
        protected String device() {
            return device;
        }

        @Override
        protected Backends backends() {
            return Backends.of(BackendConfig.DEFAULT, List.of(new AscendProvider()));
        }
    }
}
