package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.spi.BackendConfig;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A single row times FP8 or FP4 weights, which some variants multiply by kernels of their own. */
class SingleRowTest {
    private static final int K = 384;
    private static final int N = 150;
    private static final int FP4_BLOCK = 32;
    private static final int[] NONE = {};
    /** NaN weights in the first column, one in the middle, the last; both codes. */
    private static final int[] FP8_PLACES = {0, 77 * K + 201, N * K - 1};
    /** Scale bytes of the first column (0), one in the middle (NaN), and the last (NaN). */
    private static final int[] FP4_PLACES = {0, 77 * K / FP4_BLOCK + 5, N * K / FP4_BLOCK - 1};

    static List<String> variants() {
        return Cpu.variants();
    }

    @ParameterizedTest
    @MethodSource("variants")
    void hasTheBitsOfTheFirstOfSeveral(String variant) {
        try (CpuBackend backend = Cpu.backend(BackendConfig.DEFAULT.withThreads(1))) {
            CpuDevice device = Cpu.open(backend, variant);
            for (DType x : List.of(DType.F32, DType.BF16)) {
                assertThat(nanColumns(device, x, DType.F8_E4M3, NONE)).isEmpty();
                assertThat(nanColumns(device, x, DType.F8_E4M3, FP8_PLACES)).containsExactly(0, 77, N - 1);
                assertThat(nanColumns(device, x, DType.F4_E2M1, NONE)).isEmpty();
                assertThat(nanColumns(device, x, DType.F4_E2M1, FP4_PLACES)).containsExactly(77, N - 1);
            }
        }
    }

    /** Columns that are NaN in a product that has the same bits alone and among others. */
    private static List<Integer> nanColumns(CpuDevice device, DType x, DType w, int[] places) {
        RandomCall one = RandomCall.product(x, w, 1, places);
        RandomCall seven = RandomCall.product(x, w, 7, places);
        float[] alone = one.floats(one.run(device), 0);
        float[] among = seven.floats(seven.run(device), 0);
        for (int c = 0; c < N; c++) {
            assertThat(Float.floatToIntBits(alone[c])) // any NaN is as good as another
                    .as("%s x %s on %s, column %d", x, w, device.info().id(), c)
                    .isEqualTo(Float.floatToIntBits(among[c]));
        }
        return IntStream.range(0, N).filter(c -> Float.isNaN(alone[c])).boxed().toList();
    }
}
