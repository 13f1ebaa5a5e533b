package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.weft.conformance.LongContext;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Outcome;
import dev.weft.spi.BackendConfig;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Attention, index and compression at one million tokens on the best kernels here, against the reference. */
class LongContextTest {
    @TestFactory
    Stream<DynamicTest> oneMillionTokens() {
        String best = Cpu.variants().getFirst();
        return LongContext.cases()
                .map(c -> dynamicTest(c.toString(), () -> {
                    try (CpuBackend backend = Cpu.backend(BackendConfig.DEFAULT);
                            CpuDevice device = Cpu.open(backend, best)) {
                        assertThat(OpRunner.run(device, c)).isInstanceOf(Outcome.Passed.class);
                    }
                }));
    }
}
