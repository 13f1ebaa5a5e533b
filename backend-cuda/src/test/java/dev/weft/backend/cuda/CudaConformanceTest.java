package dev.weft.backend.cuda;

import dev.weft.conformance.BackendConformance;
import dev.weft.spi.Backends;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/**
 * The conformance suite on the emulator: with the fast kernels, with the simple ones alone, and what cuBLASLt or FP8 units
 * compute.
 */
@Tag("long")
class CudaConformanceTest {
    private static final Map<String, Set<String>> COMPUTED =
            Map.of("cuda:0/cublaslt", Set.of("gemm"), "cuda:0/fp8", Set.of("gemm", "expertGemm"));

    private static @Nullable Emulator emulator;

    @TestFactory
    Stream<DynamicNode> devices() {
        emulator = Emulator.start();
        return Stream.of("cuda:0", "cuda:0/simple", "cuda:0/cublaslt", "cuda:0/fp8")
                .map(CudaConformanceTest::suite);
    }

    private static DynamicNode suite(String device) {
        return DynamicContainer.dynamicContainer(device, Stream.of(device).flatMap(d -> new Suite(d).operators()));
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
        protected boolean includes(String operator) {
            return super.includes(operator)
                    && COMPUTED.getOrDefault(device, Set.of(operator)).contains(operator);
        }

        @Override
        protected Backends backends() {
            return Emulator.backends();
        }
    }
}
