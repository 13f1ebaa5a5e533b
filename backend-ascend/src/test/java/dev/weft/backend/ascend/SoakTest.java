package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Ten thousand steps, call by call, captured and replayed, with graphs given up and recorded again: right every time, and no
 * growth of host memory. Handles and device memory are counted by the emulator, which reports what is left at the end.
 */
@Tag("long")
class SoakTest {
    private static final int STEPS = 10_000;
    private static final int WARM = 2_000;

    /** Room for what a collector and an allocator leave lying about; a leak of 8 KiB a step would exceed it. */
    static final long GROWTH = 64L << 20;

    private static final long PAGE = 4096;

    @Test
    void tenThousandSteps() throws IOException {
        try (Emulator emulator = Emulator.start().with("delay", "0")) {
            soak();
        }
    }

    private static void soak() throws IOException {
        BackendConfig config = BackendConfig.DEFAULT.with(AscendOptions.GRAPHS, "3");
        try (Weft weft = Weft.of(Backends.of(config, List.of(new AscendProvider())))) {
            CompiledGraph compiled = weft.device("ascend:0").compile(Network.graph());
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states)) {
                long before = 0;
                for (int step = 0; step < STEPS; step++) {
                    if (step == WARM) {
                        before = residentBytes();
                    }
                    // runs of equal extents are replayed; a change now and then records anew
                    int tokens = 1 + step / 50 % Network.MOST_TOKENS;
                    assertThat(Network.step(execution, tokens, step))
                            .as("step %d", step)
                            .isEqualTo(Network.expected(Network.input(tokens, step)));
                }
                assertThat(residentBytes() - before)
                        .as("growth of resident bytes over %d steps", STEPS - WARM)
                        .isLessThan(GROWTH);
            }
        }
    }

    static long residentBytes() throws IOException {
        System.gc();
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * PAGE;
    }
}
