package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.spi.BackendConfig;
import dev.weft.spi.Support;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every variant against itself on other numbers of threads. */
class ThreadInvarianceTest {
    static List<String> fast() {
        return Cpu.variants().stream().filter(v -> !v.equals("scalar")).toList();
    }

    @ParameterizedTest
    @MethodSource("fast")
    void bitsDoNotDependOnThreads(String variant) {
        List<List<byte[]>> alone = results(variant, 1);
        for (int threads : new int[] {2, 4}) {
            List<List<byte[]>> results = results(variant, threads);
            for (int i = 0; i < alone.size(); i++) {
                assertThat(results.get(i).toArray())
                        .as(
                                "%s on %d threads: %s",
                                variant, threads, RandomCall.all().get(i))
                        .isEqualTo(alone.get(i).toArray());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("fast")
    void matrixProductsRunInTheKernelsOfTheVariant(String variant) {
        try (CpuBackend backend = Cpu.backend(BackendConfig.DEFAULT)) {
            Support support = Cpu.open(backend, variant)
                    .supports(RandomCall.all().getFirst().op());
            assertThat(support)
                    .isInstanceOfSatisfying(
                            Support.Native.class, s -> assertThat(s.kernel()).contains(variant));
        }
    }

    private static List<List<byte[]>> results(String variant, int threads) {
        try (CpuBackend backend = Cpu.backend(BackendConfig.DEFAULT.withThreads(threads))) {
            CpuDevice device = Cpu.open(backend, variant);
            List<List<byte[]>> results = new ArrayList<>();
            RandomCall.all().forEach(c -> results.add(c.run(device)));
            return results;
        }
    }
}
