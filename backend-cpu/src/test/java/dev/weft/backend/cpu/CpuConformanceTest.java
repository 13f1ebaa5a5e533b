package dev.weft.backend.cpu;

import dev.weft.conformance.BackendConformance;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** The conformance suite on every variant that this machine has. */
class CpuConformanceTest {
    @TestFactory
    Stream<DynamicNode> variants() {
        // one after the other: the suite opens its device when its cases are asked for
        return Cpu.variants().stream()
                .map(variant -> DynamicContainer.dynamicContainer(variant, new Suite("cpu:0/" + variant).operators()));
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
    }
}
