package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.spi.BackendConfig;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A single row times FP8 weights, which some variants multiply by kernels of their own. */
class SingleRowTest {
    private static final int K = 384;
    private static final int N = 150;
    /** Of NaN weights: in the first column, one in the middle, the last; both codes. */
    private static final int[] PLACES = {0, 77 * K + 201, N * K - 1};

    static List<String> variants() {
        return Cpu.variants();
    }

    @ParameterizedTest
    @MethodSource("variants")
    void hasTheBitsOfTheFirstOfSeveral(String variant) {
        try (CpuBackend backend = Cpu.backend(BackendConfig.DEFAULT.withThreads(1))) {
            CpuDevice device = Cpu.open(backend, variant);
            for (DType x : List.of(DType.F32, DType.BF16)) {
                for (int[] nan : List.of(new int[0], PLACES)) {
                    RandomCall one = RandomCall.fp8Product(x, 1, nan);
                    RandomCall seven = RandomCall.fp8Product(x, 7, nan);
                    float[] alone = one.floats(one.run(device), 0);
                    float[] among = seven.floats(seven.run(device), 0);
                    for (int c = 0; c < N; c++) {
                        int column = c;
                        boolean wanted = IntStream.of(nan).anyMatch(at -> at / K == column);
                        assertThat(Float.floatToIntBits(alone[c])) // any NaN is as good as another
                                .as("%s %s column %d", variant, x, c)
                                .isEqualTo(Float.floatToIntBits(among[c]));
                        assertThat(Float.isNaN(alone[c]))
                                .as("%s %s column %d is NaN", variant, x, c)
                                .isEqualTo(wanted);
                    }
                }
            }
        }
    }
}
