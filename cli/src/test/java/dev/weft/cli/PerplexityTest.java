package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The demo model on text it never saw, against its model card: windows of 512 tokens, the first of them the begin of
 * sentence, the rest scored. {@code -Dweft.test.windows=114} scores the whole text as the first rows of the card do.
 */
@Tag("long")
class PerplexityTest {
    private static final int WINDOW = 512;
    private static final int ALL = 114;
    private static final int FIRST = 16;
    private static final int WINDOWS = Integer.getInteger("weft.test.windows", FIRST);

    private static final Path MODEL = DemoModel.locate(null);

    @ParameterizedTest
    @CsvSource({"FP32, 1.6606, 1.5804, 0.5", "QAT32, 1.6611, 1.5811, 1", "BF16, , 1.5808, 1"})
    void equalsThatOfTheModelCard(NumericMode mode, Double whole, Double first, double percent) throws IOException {
        Double expected = WINDOWS == ALL ? whole : first;
        assumeTrue(expected != null, "the card has no figure for this mode on the whole text");
        Tokenizer tokenizer = Tokenizer.load(MODEL.resolve("tokenizer.json"));
        int[] ids = tokenizer.encode(Files.readString(MODEL.resolve("heldout.txt")));
        LoadOptions options =
                LoadOptions.defaults().mode(mode).maxContext(WINDOW).maxTokens(WINDOW);
        double nats = 0;
        long bytes = 0;
        try (Weft weft = Weft.open(BackendConfig.DEFAULT);
                Checkpoint checkpoint = Checkpoint.open(MODEL);
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.best(), options)) {
            for (int w = 0; w < WINDOWS; w++) {
                int[] scored = Arrays.copyOfRange(ids, w * (WINDOW - 1), (w + 1) * (WINDOW - 1));
                int[] window = new int[WINDOW];
                window[0] = model.config().bosTokenId();
                System.arraycopy(scored, 0, window, 1, scored.length);
                try (Session session = model.newSession()) {
                    float[][] logits = session.appendAll(window);
                    for (int i = 0; i < scored.length; i++) {
                        nats -= logProbability(logits[i], scored[i]);
                    }
                }
                bytes += tokenizer.decode(scored).getBytes(StandardCharsets.UTF_8).length;
            }
        }
        assertThat(bytes).isEqualTo(WINDOWS == ALL ? 164_717 : 23_320);
        assertThat(nats / Math.log(2) / bytes).as("bits per byte").isCloseTo(expected, withinPercentage(percent));
    }

    private static double logProbability(float[] logits, int id) {
        double max = Double.NEGATIVE_INFINITY;
        for (float v : logits) {
            max = Math.max(max, v);
        }
        double sum = 0;
        for (float v : logits) {
            sum += Math.exp(v - max);
        }
        return logits[id] - max - Math.log(sum);
    }
}
