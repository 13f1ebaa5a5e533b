package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.weft.BackendUnavailableException;
import dev.weft.natives.NativeLibrary;
import dev.weft.spi.BackendConfig;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Threads, processors and memory nodes as the user sets them. */
class CpuOptionsTest {
    private final Host absent = Host.without("not built");

    private static Host host() {
        boolean usable = NativeLevel.usable(NativeLibrary.load()) instanceof NativeLevel.Usable;
        assumeTrue(usable, "no native library, which knows the processors");
        return Host.with(((NativeLevel.Usable) NativeLevel.usable(NativeLibrary.load()))
                .bestFirst()
                .getFirst()
                .library());
    }

    private static BackendConfig with(String name, String value) {
        return BackendConfig.DEFAULT.with(name, value);
    }

    @Test
    void theDefaultIsAThreadPerProcessorAnywhere() {
        CpuOptions options = CpuOptions.of(BackendConfig.DEFAULT, absent);
        assertThat(options.threads()).isEqualTo(Runtime.getRuntime().availableProcessors());
        assertThat(options.processors()).isEmpty();
        assertThat(options.interleave()).isFalse();
    }

    @Test
    void threadsComeFromTheConfigurationThenTheProperty() {
        BackendConfig five = with(CpuOptions.THREADS, "5");
        assertThat(CpuOptions.of(five, absent).threads()).isEqualTo(5);
        assertThat(CpuOptions.of(five.withThreads(3), absent).threads()).isEqualTo(3);
        System.setProperty(CpuOptions.THREADS, "7");
        try {
            assertThat(CpuOptions.of(BackendConfig.DEFAULT, absent).threads()).isEqualTo(7);
        } finally {
            System.clearProperty(CpuOptions.THREADS);
        }
    }

    @Test
    void compactUsesTheProcessorsOfThisProcess() {
        Host host = host();
        CpuOptions options = CpuOptions.of(with(CpuOptions.AFFINITY, "compact"), host);
        assertThat(options.processors()).isNotEmpty().isEqualTo(host.processors());
        assertThat(options.threads()).isEqualTo(host.processors().size());
    }

    @Test
    void aListOfProcessorsIsKeptInItsOrder() {
        Host host = host();
        int last = host.processors().getLast();
        int first = host.processors().getFirst();
        assertThat(CpuOptions.of(with(CpuOptions.AFFINITY, last + "," + first + "-" + first), host)
                        .processors())
                .isEqualTo(List.of(last, first));
    }

    @Test
    void whatCannotBeFollowedIsRefusedWithTheReason() {
        Host host = host();
        refused(with(CpuOptions.AFFINITY, "4095"), host, "may not use processor 4095");
        refused(with(CpuOptions.AFFINITY, "near"), host, "'near' is no number");
        refused(with(CpuOptions.AFFINITY, "3-1"), host, "'3-1' is no range");
        refused(with(CpuOptions.AFFINITY, "compact"), absent, "cannot be pinned", "not built");
        refused(with(CpuOptions.NUMA, "interleave"), absent, "cannot be spread", "not built");
        refused(with(CpuOptions.NUMA, "near"), host, "expected default or interleave");
        refused(with(CpuOptions.THREADS, "0"), host, "expected 1 or more");
    }

    private static void refused(BackendConfig config, Host host, String... parts) {
        assertThatThrownBy(() -> CpuOptions.of(config, host))
                .isInstanceOf(BackendUnavailableException.class)
                .hasMessageContainingAll(parts)
                .hasMessageContaining("change or remove the setting");
    }

    @Test
    void theWorkersOfThePoolArePinned() {
        List<Integer> usable = host().processors();
        for (int processor : List.of(usable.getFirst(), usable.getLast())) {
            BackendConfig config = with(CpuOptions.AFFINITY, Integer.toString(processor));
            try (CpuBackend backend = Cpu.backend(config.withThreads(3))) {
                CpuDevice device = Cpu.open(backend, "");
                RandomCall.all().getFirst().run(device);
                NativeKernels kernels = (NativeKernels) device.kernels();
                assertThat(List.of(kernels.processor(1), kernels.processor(2))).containsOnly(processor);
                assertThat(kernels.processor(0)).as("the caller's thread").isEqualTo(-1);
            }
        }
    }

    @Test
    void interleavedMemoryIsOrdinaryMemory() {
        Host host = host();
        assumeTrue(host.memoryNodes() > 0, "the system does not say which memory nodes there are");
        RandomCall call = RandomCall.all().getFirst();
        byte[] expected;
        try (CpuBackend backend = Cpu.backend(BackendConfig.DEFAULT)) {
            expected = call.run(Cpu.open(backend, "")).getFirst();
        }
        try (CpuBackend backend = Cpu.backend(with(CpuOptions.NUMA, "interleave"))) {
            CpuDevice device = Cpu.open(backend, "");
            assertThat(call.run(device).getFirst()).isEqualTo(expected);
            device.allocate(5 << 20, 64).close();
        }
    }
}
