package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Weft;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The whole graph of the demo model on the emulator against the CPU: prefill in two chunks, then steps that are replayed. */
@Tag("long")
class CudaModelTest {
    private static final Path MODEL = Path.of("../examples/demo-model");
    private static final int DECODE = 4;
    private static final int VOCABULARY = 1280;

    @ParameterizedTest
    @CsvSource({"cuda:0, BF16, 100, 131, 0.02", "cuda:0, FP32, 12, 18, 1e-8", "cuda:0/simple, FP32, 12, 18, 1e-8"})
    void logitsAreThoseOfTheHost(String device, NumericMode mode, int first, int prefill, double tolerance) {
        float[][] actual;
        try (Emulator emulator = Emulator.start()) {
            actual = logits(device, mode, first, prefill);
        }
        float[][] expected = logits("cpu:0/scalar", mode, first, prefill);
        double error = 0;
        double square = 0;
        for (int i = 0; i < expected.length; i++) {
            for (int v = 0; v < expected[i].length; v++) {
                double difference = actual[i][v] - expected[i][v];
                error += difference * difference;
                square += (double) expected[i][v] * expected[i][v];
            }
        }
        assertThat(square).isPositive();
        assertThat(error / square)
                .as("squared error relative to the square of the logits")
                .isLessThan(tolerance);
    }

    @Test
    void nodesComputedTogetherLeaveTheSameBits() {
        try (Emulator emulator = Emulator.start()) {
            float[][] together = logits("cuda:0", NumericMode.BF16, 7, 12);
            assertThat(logits("cuda:0", NumericMode.BF16, 7, 12, CompileOptions.DEFAULT.withoutFusion()))
                    .isDeepEqualTo(together);
        }
    }

    private static float[][] logits(String device, NumericMode mode, int first, int prefill) {
        return logits(device, mode, first, prefill, CompileOptions.DEFAULT);
    }

    private static float[][] logits(String device, NumericMode mode, int first, int prefill, CompileOptions compile) {
        int[] ids =
                new SplittableRandom(7).ints(prefill + DECODE, 2, VOCABULARY).toArray();
        LoadOptions options = LoadOptions.defaults().mode(mode).maxContext(256).maxTokens(prefill);
        try (Weft weft = Weft.open();
                Checkpoint checkpoint = Checkpoint.open(MODEL);
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device(device), options, compile, bytes -> {});
                Session session = model.newSession()) {
            float[][] rows = new float[1 + DECODE][];
            session.append(Arrays.copyOf(ids, first));
            rows[0] = session.append(Arrays.copyOfRange(ids, first, prefill));
            for (int i = 0; i < DECODE; i++) {
                rows[1 + i] = session.append(ids[prefill + i]);
            }
            return rows;
        }
    }
}
