package dev.weft.backend.cpu.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceMemoryException;
import dev.weft.RequestException;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Feed;
import dev.weft.model.LoadOptions;
import dev.weft.model.ModelMemory;
import dev.weft.model.PrefixCache;
import dev.weft.model.Session;
import dev.weft.model.StepShape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import jdk.jfr.consumer.RecordingStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Steps that nobody asked for leave no trace, and are refused where they would. */
class WarmUpTest {
    private static final LoadOptions OPTIONS = LoadOptions.defaults()
            .maxContext(256)
            .maxTokens(64)
            .maxSequences(3)
            .cachePages(4)
            .withMtp();

    private static final List<StepShape> SHAPES = List.of(
            StepShape.prompt(64),
            StepShape.decode(1),
            StepShape.decode(2),
            StepShape.decode(3),
            new StepShape(3, 2, Feed.Want.ALL));

    @TempDir
    private static Path directory;

    @BeforeAll
    static void write() {
        TinyModel.write(directory, TinyModel.config(), 5);
    }

    /** Logits of a prompt, some tokens and a draft. */
    private static List<float[]> answer(Session session) {
        List<float[]> logits = new ArrayList<>();
        logits.add(session.append(TinyModel.ids(70, 1)));
        for (int token : TinyModel.ids(5, 2)) {
            logits.add(session.append(token));
        }
        logits.add(session.draft(7));
        return logits;
    }

    private static List<float[]> coldAnswer() {
        try (TinyModel tiny = TinyModel.open(directory, OPTIONS);
                Session session = tiny.model().newSession()) {
            return answer(session);
        }
    }

    private static void assertSame(List<float[]> found, List<float[]> expected) {
        assertThat(found.toArray(float[][]::new)).isDeepEqualTo(expected.toArray(float[][]::new));
    }

    @Test
    void sequencesAndCachesDoNotNotice() {
        List<float[]> expected = coldAnswer();
        try (TinyModel tiny = TinyModel.open(directory, OPTIONS.maxSequences(4));
                PrefixCache cache = new PrefixCache(tiny.model(), Long.MAX_VALUE, 128)) {
            DeepSeekV4 model = tiny.model();
            try (Session session = model.newSession();
                    Session begun = model.newSession()) {
                begun.append(TinyModel.ids(70, 1));
                cache.remember(begun);
                begun.close();
                ModelMemory before = model.memory();
                String stats = cache.stats().toString();

                model.warmUp(SHAPES);

                assertThat(model.memory()).isEqualTo(before);
                assertThat(cache.stats()).hasToString(stats);
                assertThat(session.position()).isZero();
                assertSame(answer(session), expected);
            }
        }
    }

    @Test
    void inTheMiddleOfASequence() {
        List<float[]> expected = coldAnswer();
        try (TinyModel tiny = TinyModel.open(directory, OPTIONS.maxSequences(4));
                Session session = tiny.model().newSession()) {
            List<float[]> found = new ArrayList<>();
            found.add(session.append(TinyModel.ids(70, 1)));
            for (int token : TinyModel.ids(5, 2)) {
                tiny.model().warmUp(SHAPES);
                found.add(session.append(token));
            }
            found.add(session.draft(7));
            assertSame(found, expected);
        }
    }

    @Test
    void shapesBeyondTheBoundsAreRefused() {
        try (TinyModel tiny = TinyModel.open(directory, OPTIONS)) {
            for (StepShape shape :
                    List.of(StepShape.decode(4), StepShape.prompt(65), new StepShape(2, 33, Feed.Want.NONE))) {
                assertThatThrownBy(() -> tiny.model().warmUp(List.of(StepShape.decode(1), shape)))
                        .isInstanceOf(RequestException.class)
                        .hasMessageContainingAll(
                                "warm-up: found " + shape.sequences() + " sequences of " + shape.tokens(),
                                "at most 3 sequences of 256 tokens, and 64 tokens together");
            }
        }
        assertThatThrownBy(() -> StepShape.decode(0))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("found 0 sequences of 1 tokens");
    }

    @Test
    void nobodyGivesWay() {
        try (TinyModel tiny = TinyModel.open(directory, OPTIONS);
                PrefixCache cache = new PrefixCache(tiny.model(), Long.MAX_VALUE, 128)) {
            DeepSeekV4 model = tiny.model();
            Session first = model.newSession();
            assertThatThrownBy(() -> model.warmUp(List.of(StepShape.decode(3))))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContaining("sessions: all 3 are in use");
            first.append(TinyModel.ids(200, 1));
            cache.remember(first);
            first.close();
            assertThat(model.memory().freePages()).isEqualTo(2);
            assertThatThrownBy(() -> model.warmUp(List.of(StepShape.decode(3))))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContaining("cache pages: found 2 free of 4, expected 3");
            assertThat(model.memory().freePages()).isEqualTo(2);
            model.warmUp(List.of(StepShape.decode(2)));
        }
    }

    @Test
    void eventsSayWhatTheStepsWere() throws InterruptedException {
        List<String> kinds = new CopyOnWriteArrayList<>();
        try (TinyModel tiny = TinyModel.open(directory, OPTIONS);
                RecordingStream events = new RecordingStream()) {
            events.enable("dev.weft.Step");
            events.onEvent("dev.weft.Step", e -> kinds.add(e.getString("kind")));
            events.startAsync();
            tiny.model().warmUp(List.of(StepShape.decode(2)));
            try (Session session = tiny.model().newSession()) {
                session.append(1);
            }
            events.stop();
        }
        assertThat(kinds).containsExactly("warm-up", "warm-up", "warm-up", "decode");
    }
}
