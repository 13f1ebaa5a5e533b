package dev.weft.backend.cpu.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CancelledException;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Generator;
import dev.weft.model.LoadOptions;
import dev.weft.model.Prefill;
import dev.weft.model.PrefixCache;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Requests come and go and leave nothing. */
@Tag("long")
class SessionSoakTest {
    private static final int REQUESTS = 10_000;
    private static final int WARM = 2_000;

    /** Of the heap, whose live objects are counted after a collection; a session kept for ever has more than 1 KiB. */
    private static final long HEAP_GROWTH = 1L << 20;

    /** Of the process: room for what compiler and allocator leave lying about. A ring copy for each request is 2 GiB. */
    private static final long RESIDENT_GROWTH = 64L << 20;

    @TempDir
    private static Path directory;

    @BeforeAll
    static void write() {
        TinyModel.write(directory, TinyModel.config(), 5);
    }

    @Test
    void tenThousandRequests() throws IOException {
        LoadOptions options =
                LoadOptions.defaults().maxContext(256).maxSequences(3).withMtp();
        try (TinyModel tiny = TinyModel.open(directory, options)) {
            DeepSeekV4 model = tiny.model();
            long room = 20 * (model.memory().ringsPerSession() + model.memory().page());
            SplittableRandom random = new SplittableRandom(1);
            long heap = 0;
            long resident = 0;
            try (PrefixCache cache = new PrefixCache(model, room, 128)) {
                for (int i = 0; i < REQUESTS; i++) {
                    if (i == WARM) {
                        heap = heapBytes();
                        resident = residentBytes();
                    }
                    request(model, cache, i, random);
                }
                assertThat(cache.stats().lookups()).isEqualTo(REQUESTS);
                assertThat(cache.stats().hits()).isGreaterThan(REQUESTS / 10);
                assertThat(cache.stats().bytes()).isLessThanOrEqualTo(room);
                assertThat(heapBytes() - heap).as("growth of the heap").isLessThan(HEAP_GROWTH);
                assertThat(residentBytes() - resident)
                        .as("growth of resident bytes")
                        .isLessThan(RESIDENT_GROWTH);
            }
            assertThat(model.memory().freePages()).isEqualTo(model.memory().pages());
            // the cache's copies and one on its way
            assertThat(model.memory().snapshots())
                    .isLessThanOrEqualTo(21 * model.memory().ringsPerSession());
        }
    }

    /** A prompt of one of many beginnings, a few tokens of answer, now and then a fork or a rollback. */
    private static void request(DeepSeekV4 model, PrefixCache cache, int i, SplittableRandom random) {
        int[] prompt = TinyModel.ids(1 + random.nextInt(8), random.nextInt(30));
        Prefill p = cache.begin(prompt);
        try (Session s = p.session()) {
            p.run(() -> false);
            s.append(1, 2, 3);
            s.draft(4);
            switch (i % 4) {
                case 0 -> s.truncate(s.position() - 2);
                case 1 -> {
                    try (Session fork = s.fork()) {
                        fork.append(5);
                    }
                }
                case 2 -> cache.remember(s);
                default -> assertThat(s.position()).isEqualTo(prompt.length + 3);
            }
        }
    }

    private static long heapBytes() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    /** Resident bytes of this process, 0 where the system does not tell. */
    private static long residentBytes() throws IOException {
        Path statm = Path.of("/proc/self/statm");
        return Files.exists(statm)
                ? 4096 * Long.parseLong(Files.readString(statm).split(" ")[1])
                : 0;
    }

    @Test
    void cancellationTakesEffectWithinOneStep() {
        LoadOptions options = LoadOptions.defaults().maxContext(512).maxTokens(32);
        int[] prompt = TinyModel.ids(200, 8);
        try (TinyModel tiny = TinyModel.open(directory, options);
                Session s = tiny.model().newSession()) {
            for (int steps = 0; steps < 12; steps++) {
                int[] asked = {0};
                int after = steps;
                s.reset();
                assertThatThrownBy(() -> new Generator(s)
                                .generate(prompt, Sampling.greedy(100), t -> {}, () -> asked[0]++ >= after))
                        .isInstanceOf(CancelledException.class)
                        .hasMessageContaining("cancelled after");
                // asked once before it begins and once before each of seven chunks, then before every token
                int chunks = Math.max(0, after - 1);
                assertThat(s.position()).isEqualTo(chunks <= 6 ? 32 * chunks : 200 + chunks - 7);
                assertThat(asked[0]).as("asked no more").isEqualTo(after + 1);
            }
            s.reset();
            float[] logits = s.append(prompt);
            s.reset();
            assertThat(s.append(prompt)).containsExactly(logits);
        }
    }
}
