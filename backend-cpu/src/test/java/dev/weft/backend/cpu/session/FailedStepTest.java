package dev.weft.backend.cpu.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.weft.CheckpointException;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Feed;
import dev.weft.model.LoadOptions;
import dev.weft.model.Session;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Weft;
import dev.weft.runtime.WeightRoute;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A step that fails midway, because a weight cannot be read, leaves sessions as they were, although it wrote to rings. */
class FailedStepTest {
    private static final int[] IDS = TinyModel.ids(400, 2);
    private static final int[] SHORT = {1, 2, 3};
    private static final int BEFORE = 200;
    private static final int NAN_SCALE = 255;

    @TempDir
    private Path folder;

    /** What is asked first of a session that failed, which repairs it. */
    enum Next {
        FORK,
        STEP,
        ARRAY,
        DRAFT
    }

    private static LoadOptions options() {
        return LoadOptions.defaults().maxContext(512).maxSequences(3).withMtp();
    }

    /** The last layer, when the earlier ones have run; and the MTP block, when the backbone has. */
    @ParameterizedTest
    @CsvSource({
        "layers.2.ffn.shared_experts.w2.scale, FORK",
        "mtp.0.ffn.shared_experts.w2.scale, FORK",
        "layers.2.ffn.shared_experts.w2.scale, STEP",
        "layers.2.ffn.shared_experts.w2.scale, ARRAY",
        "layers.2.ffn.shared_experts.w2.scale, DRAFT"
    })
    void sessionsStayAsTheyWere(String scale, Next next) throws IOException {
        Path model = folder.resolve("model");
        Path file = folder.resolve("s.safetensors");
        TinyModel.write(model, TinyModel.config(), 5);
        float[] longer;
        float[] draft;
        float[] shorter;
        try (TinyModel tiny = TinyModel.open(model, options());
                Session s = tiny.model().newSession()) {
            assumeThat(tiny.weft().device("cpu:0").info().variants().getFirst())
                    .isNotIn("vector", "scalar"); // they read no weight on demand
            s.append(Arrays.copyOf(IDS, BEFORE));
            s.save(file);
            try (Session other = s.fork()) {
                shorter = other.append(SHORT);
            }
            longer = s.append(Arrays.copyOfRange(IDS, BEFORE, 390));
            draft = s.draft(IDS[390]);
        }
        try (Weft weft = Weft.open();
                Checkpoint checkpoint = Checkpoint.open(model);
                DeepSeekV4 paged = DeepSeekV4.load(
                        checkpoint,
                        weft.device("cpu:0"),
                        options(),
                        CompileOptions.DEFAULT.withWeights(WeightRoute.FILE),
                        bytes -> {});
                Session a = paged.loadSession(file);
                Session b = paged.loadSession(file)) {
            long at = checkpoint.find(scale).orElseThrow().offset();
            Path shard = model.resolve("model-00001-of-00001.safetensors");
            try (RandomAccessFile f = new RandomAccessFile(shard.toFile(), "rw")) {
                f.seek(at);
                int whole = f.read();
                f.seek(at);
                f.write(NAN_SCALE);
                List<Feed> feeds = List.of(
                        new Feed(a, Arrays.copyOfRange(IDS, BEFORE, 390), Feed.Want.LAST),
                        new Feed(b, SHORT, Feed.Want.LAST));
                assertThatThrownBy(() -> paged.step(feeds)).isInstanceOf(CheckpointException.class);
                assertThat(a.tokens()).isEqualTo(Arrays.copyOf(IDS, BEFORE));
                assertThat(b.tokens()).isEqualTo(Arrays.copyOf(IDS, BEFORE));
                f.seek(at);
                f.write(whole);
            }
            int[] rest = Arrays.copyOfRange(IDS, BEFORE, 390);
            float[] logits = new float[longer.length];
            switch (next) {
                case FORK -> {
                    try (Session fork = a.fork()) {
                        assertThat(fork.append(SHORT))
                                .as("a fork of the one that failed")
                                .containsExactly(shorter);
                    }
                    logits = a.append(rest);
                }
                case STEP -> logits = a.append(rest);
                case ARRAY -> paged.step(List.of(new Feed(a, rest, Feed.Want.LAST)), logits);
                case DRAFT -> {
                    paged.draft(List.of(a), new int[] {rest[0]}, logits);
                    logits = a.append(rest);
                }
            }
            assertThat(logits).containsExactly(longer);
            assertThat(a.draft(IDS[390])).containsExactly(draft);
            assertThat(b.append(SHORT)).containsExactly(shorter);
        }
    }
}
