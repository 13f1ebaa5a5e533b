package dev.weft.backend.cpu.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CheckpointException;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A session that was saved and loaded goes on as if nothing had happened. */
@Tag("long")
class SessionFileTest {
    private static final int[] IDS = TinyModel.ids(420, 21);

    @TempDir
    private static Path checkpoint;

    @TempDir
    Path folder;

    @BeforeAll
    static void write() {
        TinyModel.write(checkpoint, TinyModel.config(), 5);
    }

    private static LoadOptions options(NumericMode mode, boolean mtp) {
        LoadOptions o = LoadOptions.defaults().mode(mode).maxContext(512).maxSequences(4);
        return mtp ? o.withMtp() : o;
    }

    @ParameterizedTest
    @CsvSource({"BF16, false", "BF16, true", "FP32, true", "QAT32, false"})
    void goesOnWithTheSameBits(NumericMode mode, boolean mtp) {
        Path file = folder.resolve("s.safetensors");
        try (TinyModel tiny = TinyModel.open(checkpoint, options(mode, mtp))) {
            for (int at : new int[] {0, 1, 5, 127, 128, 130, 391}) {
                try (Session s = tiny.model().newSession()) {
                    if (at > 0) {
                        s.append(Arrays.copyOf(IDS, at));
                    }
                    s.save(file);
                    try (Session loaded = tiny.model().loadSession(file);
                            Session fork = loaded.fork()) {
                        assertThat(loaded.tokens()).isEqualTo(s.tokens());
                        same(s, mtp, loaded, fork);
                    }
                }
            }
            allFree(tiny, 4);
        }
    }

    /** Appends the same to all: ten tokens one by one, then the rest at once. */
    private static void same(Session expected, boolean mtp, Session... others) {
        int at = expected.position();
        for (int p = at; p < at + 10; p++) {
            float[] logits = expected.append(IDS[p]);
            float[] draft = mtp ? expected.draft(IDS[p + 1]) : new float[0];
            for (Session s : others) {
                assertThat(s.append(IDS[p])).as("position %d", p).containsExactly(logits);
                assertThat(mtp ? s.draft(IDS[p + 1]) : new float[0])
                        .as("draft at %d", p)
                        .containsExactly(draft);
            }
        }
        int[] rest = Arrays.copyOfRange(IDS, at + 10, IDS.length);
        float[] logits = expected.append(rest);
        for (Session s : others) {
            assertThat(s.append(rest)).as("a chunk").containsExactly(logits);
        }
    }

    @Test
    void truncatedSessionsAreSavedAndLoadedOnesTruncated() {
        Path file = folder.resolve("s.safetensors");
        try (TinyModel tiny = TinyModel.open(checkpoint, options(NumericMode.BF16, true))) {
            for (int[] way : new int[][] {{263, 258, 257}, {263, 258, 255}, {263, 255, 254}, {263, 258, 40}}) {
                try (Session fresh = tiny.model().newSession();
                        Session s = tiny.model().newSession()) {
                    s.append(Arrays.copyOf(IDS, 256));
                    s.append(1, 2, 3, 4, 5, 6, 7);
                    s.truncate(way[1]); // the rings hold rows of tokens that are gone
                    s.save(file);
                    try (Session loaded = tiny.model().loadSession(file)) {
                        assertThat(loaded.position()).isEqualTo(way[1]);
                        loaded.truncate(way[2]); // near: from the rings; far: computed again
                        int[] kept = s.tokens();
                        fresh.append(Arrays.copyOf(kept, way[2]));
                        same(fresh, true, loaded);
                    }
                }
            }
            allFree(tiny, 4);
        }
    }

    @Test
    void filesGoFromOneDeviceToAnother() throws IOException {
        Path first = folder.resolve("first.safetensors");
        Path second = folder.resolve("second.safetensors");
        try (TinyModel tiny = TinyModel.open(checkpoint, options(NumericMode.BF16, true));
                Session s = tiny.model().newSession()) {
            s.append(Arrays.copyOf(IDS, 300));
            s.save(first);
        }
        // other bounds, pages dealt out in another order, other kernels
        LoadOptions other =
                options(NumericMode.BF16, true).maxContext(1024).maxTokens(64).maxSequences(2);
        try (TinyModel tiny = TinyModel.open(checkpoint, "cpu:0/scalar", other)) {
            Session taken = tiny.model().newSession();
            taken.append(Arrays.copyOf(IDS, 200));
            try (Session loaded = tiny.model().loadSession(first)) {
                taken.close();
                loaded.save(second);
                assertThat(second).hasSameBinaryContentAs(first);
                assertThat(loaded.append(3)).hasSize(TinyModel.VOCABULARY).doesNotContain(Float.NaN);
            }
        }
    }

    @Test
    void savingDoesNotStopTheSteps() throws Exception {
        try (TinyModel tiny = TinyModel.open(checkpoint, options(NumericMode.BF16, true));
                Session busy = tiny.model().newSession();
                Session s = tiny.model().newSession();
                ExecutorService threads = Executors.newSingleThreadExecutor()) {
            s.append(Arrays.copyOf(IDS, 200));
            AtomicBoolean done = new AtomicBoolean();
            CountDownLatch running = new CountDownLatch(1);
            Future<?> stepping = threads.submit(() -> {
                while (!done.get()) {
                    busy.append(IDS[busy.position()]);
                    running.countDown();
                    if (busy.position() == IDS.length) {
                        busy.reset();
                    }
                }
            });
            running.await();
            for (int i = 0; i < 20; i++) {
                Path file = folder.resolve("s" + i);
                s.save(file);
                s.append(IDS[200 + i]);
                try (Session loaded = tiny.model().loadSession(file)) {
                    assertThat(loaded.tokens()).isEqualTo(Arrays.copyOf(IDS, 200 + i));
                    float[] draft = s.draft(9);
                    loaded.append(IDS[200 + i]);
                    assertThat(loaded.draft(9)).containsExactly(draft);
                }
            }
            done.set(true);
            stepping.get();
        }
    }

    @Test
    void aFileIsReplacedWholeOrNotAtAll() throws IOException {
        Path file = folder.resolve("s.safetensors");
        try (TinyModel tiny = TinyModel.open(checkpoint, options(NumericMode.BF16, false));
                Session s = tiny.model().newSession()) {
            s.append(1, 2, 3);
            s.save(file);
            s.append(4);
            s.save(file);
            try (Session loaded = tiny.model().loadSession(file)) {
                assertThat(loaded.tokens()).containsExactly(1, 2, 3, 4);
            }
            Path nowhere = folder.resolve("absent").resolve("s.safetensors");
            assertThatThrownBy(() -> s.save(nowhere))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining(nowhere.toString());
            Path taken = Files.createDirectories(folder.resolve("taken").resolve("by a folder"))
                    .getParent();
            assertThatThrownBy(() -> s.save(taken)).isInstanceOf(CheckpointException.class);
            try (Stream<Path> left = Files.list(folder)) {
                assertThat(left).containsExactlyInAnyOrderElementsOf(List.of(file, taken));
            }
        }
    }

    private static void allFree(TinyModel tiny, int sequences) {
        assertThat(tiny.model().memory().freePages())
                .isEqualTo(tiny.model().memory().pages());
        List<Session> all =
                Stream.generate(tiny.model()::newSession).limit(sequences).toList();
        all.forEach(Session::close);
    }
}
