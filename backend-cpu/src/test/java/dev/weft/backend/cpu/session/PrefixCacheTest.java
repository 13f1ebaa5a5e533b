package dev.weft.backend.cpu.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CancelledException;
import dev.weft.ClosedException;
import dev.weft.DeviceMemoryException;
import dev.weft.RequestException;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Feed;
import dev.weft.model.LoadOptions;
import dev.weft.model.Prefill;
import dev.weft.model.PrefixCache;
import dev.weft.model.Session;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A prompt that begins with something remembered gives the bits of one that does not. */
@Tag("long")
class PrefixCacheTest {
    private static final int[] HITS = {100, 1000, 2048, 4095, 4096};
    private static final int TAIL = 6;
    private static final int NO_STRIDE = 1 << 20;
    private static final long PLENTY = 1L << 30;
    private static final BooleanSupplier NEVER = () -> false;

    @TempDir
    private static Path directory;

    @BeforeAll
    static void write() {
        TinyModel.write(directory, TinyModel.config(), 5);
    }

    private static LoadOptions options() {
        return LoadOptions.defaults().maxContext(4096 + 128).maxSequences(3);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void hitsGiveTheBitsOfAColdRun(boolean mtp) {
        LoadOptions options = mtp ? options().withMtp() : options();
        int[] base = TinyModel.ids(4096 + TAIL + 1, 11);
        try (TinyModel tiny = TinyModel.open(directory, options);
                PrefixCache cache = new PrefixCache(tiny.model(), PLENTY, NO_STRIDE)) {
            float[][] cold = new float[base.length][];
            float[][] drafts = new float[base.length][];
            try (Session s = tiny.model().newSession()) {
                for (int hit : HITS) {
                    if (s.position() < hit) {
                        s.append(Arrays.copyOfRange(base, s.position(), hit));
                    }
                    for (int p = s.position(); p < hit + TAIL; p++) {
                        cold[p] = s.append(base[p]);
                        drafts[p] = mtp ? s.draft(base[p + 1]) : new float[0];
                    }
                }
            }
            for (int hit : HITS) {
                cache.clear();
                int[] prefix = Arrays.copyOf(base, hit);
                run(cache.begin(prefix), prefix);
                // the whole tail in one step, then token by token: both kinds of step continue a restored state
                int[] prompt = Arrays.copyOf(base, hit + TAIL);
                run(cache.begin(prompt), prompt, hit, cold);
                Prefill again = cache.begin(Arrays.copyOf(base, hit + 1));
                assertThat(again.hit()).as("hit of %d", hit).isEqualTo(hit);
                try (Session s = again.session()) {
                    for (int p = hit; p < hit + TAIL; p++) {
                        assertThat(s.append(base[p]))
                                .as("hit %d, position %d", hit, p)
                                .containsExactly(cold[p]);
                        if (mtp) {
                            assertThat(s.draft(base[p + 1]))
                                    .as("hit %d, draft at %d", hit, p)
                                    .containsExactly(drafts[p]);
                        }
                    }
                }
            }
            assertThat(tiny.model().memory().freePages())
                    .isEqualTo(tiny.model().memory().pages() - cache.stats().pages());
        }
    }

    /** No published model has one, but the format allows it: an MTP block that writes to pages, one row behind. */
    @Test
    void anMtpBlockMayHaveCachesOfItsOwn(@TempDir Path other) {
        TinyModel.write(other, TinyModel.config().with("compress_ratios", List.of(0, 4, 128, 4)), 5);
        int[] base = TinyModel.ids(280, 12);
        try (TinyModel tiny = TinyModel.open(other, options().withMtp());
                PrefixCache cache = new PrefixCache(tiny.model(), PLENTY, 128)) {
            float[][] drafts = new float[base.length][];
            try (Session s = tiny.model().newSession()) {
                for (int p = 0; p + 1 < base.length; p++) {
                    s.append(base[p]);
                    drafts[p] = s.draft(base[p + 1]);
                }
            }
            run(cache.begin(base), base);
            for (int hit : new int[] {128, 256}) {
                Prefill p = cache.begin(Arrays.copyOf(base, hit + 1));
                assertThat(p.hit()).isEqualTo(hit);
                try (Session s = p.session();
                        Session fork = s.fork()) {
                    // both write to the last shared page: the row before the hit is due now
                    fork.append(base[hit] ^ 1, 3, 5);
                    for (int at = hit; at < hit + 20; at++) {
                        s.append(base[at]);
                        assertThat(s.draft(base[at + 1])).as("draft at %d", at).containsExactly(drafts[at]);
                    }
                }
            }
        }
    }

    private static void run(Prefill prefill, int[] prompt) {
        try (Session s = prefill.session()) {
            prefill.run(NEVER);
            assertThat(s.tokens()).isEqualTo(prompt);
        }
    }

    private static void run(Prefill prefill, int[] prompt, int hit, float[][] cold) {
        assertThat(prefill.hit()).isEqualTo(hit);
        try (Session s = prefill.session()) {
            assertThat(prefill.run(NEVER))
                    .as("prompt behind a hit of %d", hit)
                    .containsExactly(cold[prompt.length - 1]);
        }
    }

    @Test
    void aPlaceWherePromptsPartIsRememberedByTheSecondAndHitByTheThird() {
        int[] shared = TinyModel.ids(300, 1);
        try (TinyModel tiny = TinyModel.open(directory, options());
                PrefixCache cache = new PrefixCache(tiny.model(), PLENTY, NO_STRIDE)) {
            int[] hits = new int[4];
            for (int i = 0; i < hits.length; i++) {
                int[] prompt = Arrays.copyOf(shared, 300 + 40);
                Arrays.fill(prompt, 300, 340, i);
                Prefill p = cache.begin(prompt);
                hits[i] = p.hit();
                run(p, prompt);
            }
            assertThat(hits).containsExactly(0, 0, 300, 300);
            assertThat(cache.stats().hitTokens()).isEqualTo(600);
            assertThat(cache.stats().hits()).isEqualTo(2);
            assertThat(cache.stats().lookups()).isEqualTo(4);
        }
    }

    @Test
    void positionsOnTheWayAreRememberedAtTheStride() {
        int[] prompt = TinyModel.ids(1000, 2);
        try (TinyModel tiny = TinyModel.open(directory, options());
                PrefixCache cache = new PrefixCache(tiny.model(), PLENTY, 256)) {
            run(cache.begin(prompt), prompt);
            assertThat(cache.stats().entries()).isEqualTo(4); // 256, 512, 768, 1000
            int[] other = prompt.clone();
            other[600]++;
            Prefill p = cache.begin(other);
            p.session().close();
            assertThat(p.hit()).isEqualTo(512);
        }
    }

    @Test
    void theSamePromptAgainNeedsItsLastTokenOnly() {
        int[] prompt = TinyModel.ids(200, 3);
        try (TinyModel tiny = TinyModel.open(directory, options());
                PrefixCache cache = new PrefixCache(tiny.model(), PLENTY, NO_STRIDE)) {
            Prefill first = cache.begin(prompt);
            float[] cold = first.run(NEVER);
            first.session().close();
            Prefill again = cache.begin(prompt);
            assertThat(again.hit()).isEqualTo(199);
            assertThat(again.run(NEVER)).containsExactly(cold);
            again.session().close();
            // further back than the rings reach: not usable
            Prefill shorter = cache.begin(Arrays.copyOf(prompt, 200 - options().rollback()));
            assertThat(shorter.hit()).isZero();
            shorter.session().close();
        }
    }

    @Test
    void anAnswerIsRememberedWhenAskedFor() {
        try (TinyModel tiny = TinyModel.open(directory, options());
                PrefixCache cache = new PrefixCache(tiny.model(), PLENTY, NO_STRIDE);
                Session s = tiny.model().newSession()) {
            assertThat(cache.remember(s)).as("an empty session").isFalse();
            s.append(TinyModel.ids(150, 4));
            s.append(7);
            assertThat(cache.remember(s)).isTrue();
            assertThat(cache.remember(s)).as("known already").isTrue();
            assertThat(cache.stats().entries()).isOne();
            int[] next = Arrays.copyOf(s.tokens(), 160);
            Prefill p = cache.begin(next);
            p.session().close();
            assertThat(p.hit()).isEqualTo(151);
        }
    }

    @Test
    void aSchedulerFeedsPromptsInItsOwnSteps() {
        int[] a = TinyModel.ids(500, 6);
        int[] b = TinyModel.ids(300, 7);
        try (TinyModel tiny = TinyModel.open(directory, options());
                PrefixCache cache = new PrefixCache(tiny.model(), PLENTY, 128)) {
            DeepSeekV4 model = tiny.model();
            Prefill first = cache.begin(a);
            Prefill second = cache.begin(b);
            float[][] last = new float[2][];
            while (!first.isDone() || !second.isDone()) {
                List<Prefill> running =
                        List.of(first, second).stream().filter(p -> !p.isDone()).toList();
                List<Feed> feeds = running.stream()
                        .map(p -> new Feed(p.session(), p.next(100), Feed.Want.LAST))
                        .toList();
                List<float[][]> logits = model.step(feeds);
                for (int i = 0; i < running.size(); i++) {
                    running.get(i).stepped();
                    last[running.get(i) == first ? 0 : 1] = logits.get(i)[0];
                }
            }
            assertThat(first.next(10)).isEmpty();
            assertThat(cache.stats().entries()).isEqualTo(4 + 3); // 128, 256, 384, 500 and 128, 256, 300
            first.session().close();
            second.session().close();
            cache.clear();
            try (Session s = model.newSession()) {
                assertThat(s.append(a)).containsExactly(last[0]);
                s.reset();
                assertThat(s.append(b)).containsExactly(last[1]);
            }
        }
    }

    @Test
    void theLeastRecentlyUsedGivesWayToTheByte() {
        try (TinyModel tiny = TinyModel.open(directory, options())) {
            long each;
            try (PrefixCache cache = new PrefixCache(tiny.model(), PLENTY, NO_STRIDE)) {
                int[] one = TinyModel.ids(100, 0);
                run(cache.begin(one), one);
                each = cache.stats().bytes();
            }
            assertThat(each)
                    .isEqualTo(tiny.model().memory().ringsPerSession()
                            + tiny.model().memory().page()
                            + 4 * 100);
            try (PrefixCache cache = new PrefixCache(tiny.model(), 3 * each, NO_STRIDE)) {
                for (int i = 0; i < 3; i++) {
                    int[] ids = TinyModel.ids(100, i);
                    run(cache.begin(ids), ids);
                }
                assertThat(cache.stats().bytes()).isEqualTo(3 * each);
                hit(cache, 0, 99); // now used later than 1 and 2
                int[] fourth = TinyModel.ids(100, 3);
                run(cache.begin(fourth), fourth);
                assertThat(cache.stats().bytes()).isEqualTo(3 * each);
                hit(cache, 0, 99);
                hit(cache, 1, 0);
                hit(cache, 2, 99);
                hit(cache, 3, 99);
            }
            assertThat(tiny.model().memory().freePages())
                    .isEqualTo(tiny.model().memory().pages());
            // ring copies were used again
            assertThat(tiny.model().memory().snapshots())
                    .isEqualTo(3 * tiny.model().memory().ringsPerSession());
        }
    }

    private static void hit(PrefixCache cache, int seed, int expected) {
        Prefill p = cache.begin(TinyModel.ids(100, seed));
        p.session().close();
        assertThat(p.hit()).as("prompt %d", seed).isEqualTo(expected);
    }

    @Test
    void pagesAreGivenToSequencesThatNeedThem() {
        LoadOptions few = LoadOptions.defaults().maxContext(512).maxSequences(2).cachePages(5);
        try (TinyModel tiny = TinyModel.open(directory, few);
                PrefixCache cache = new PrefixCache(tiny.model(), PLENTY, NO_STRIDE)) {
            int[] old = TinyModel.ids(256, 1);
            int[] recent = TinyModel.ids(256, 2);
            run(cache.begin(old), old);
            run(cache.begin(recent), recent);
            assertThat(tiny.model().memory().freePages()).isOne();
            try (Session s = tiny.model().newSession()) {
                s.append(TinyModel.ids(300, 3)); // three pages
            }
            assertThat(cache.stats().entries()).isOne();
            hit(cache, recent, 255);
            hit(cache, old, 0);
            try (Session a = tiny.model().newSession()) {
                a.append(TinyModel.ids(129, 4)); // two pages of three
                Prefill p = cache.begin(recent);
                // the session of the hit holds both pages with the cache: giving way would not free them
                assertThatThrownBy(() -> a.append(TinyModel.ids(300, 5)))
                        .isInstanceOf(DeviceMemoryException.class)
                        .hasMessageContaining("found 1 free of 5, expected 2");
                assertThat(cache.stats().entries())
                        .as("nothing is forgotten in vain")
                        .isOne();
                assertThat(a.position()).isEqualTo(129);
                a.append(TinyModel.ids(100, 5));
                p.run(NEVER); // takes the free page for a copy of the one that it shares
                p.session().append(1); // and then the one that the cache alone holds
                assertThat(cache.stats().entries()).isZero();
                assertThat(p.session().position()).isEqualTo(257);
                p.session().close();
            }
        }
    }

    private static void hit(PrefixCache cache, int[] prompt, int expected) {
        Prefill p = cache.begin(prompt);
        p.session().close();
        assertThat(p.hit()).isEqualTo(expected);
    }

    @Test
    void aCancelledPromptKeepsWhatItHas() {
        int[] prompt = TinyModel.ids(1000, 9);
        LoadOptions chunks = options().maxTokens(64);
        try (TinyModel tiny = TinyModel.open(directory, chunks);
                PrefixCache cache = new PrefixCache(tiny.model(), PLENTY, 256)) {
            int[] asked = {0};
            Prefill p = cache.begin(prompt);
            assertThatThrownBy(() -> p.run(() -> asked[0]++ == 6))
                    .isInstanceOf(CancelledException.class)
                    .hasMessageContaining("cancelled after 128 of 256 tokens");
            assertThat(p.session().position()).isEqualTo(6 * 64);
            float[] logits = p.run(NEVER); // and goes on when asked again
            p.session().close();
            cache.clear();
            try (Session s = tiny.model().newSession()) {
                assertThat(s.append(prompt)).containsExactly(logits);
            }
        }
    }

    @Test
    void whatCannotBeIsRefused() {
        try (TinyModel tiny = TinyModel.open(directory, options().rollback(0))) {
            long rings = tiny.model().memory().ringsPerSession();
            assertThatThrownBy(() -> new PrefixCache(tiny.model(), rings - 1, 1))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("maxBytes=" + (rings - 1))
                    .hasMessageContaining("at least " + rings);
            PrefixCache small = new PrefixCache(tiny.model(), rings, NO_STRIDE);
            assertThatThrownBy(small::begin)
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("no token");
            try (Session s = tiny.model().newSession()) {
                s.append(1, 2, 3);
                assertThat(small.remember(s)).as("larger than the cache").isFalse();
            }
            small.close();
            assertThatThrownBy(() -> small.begin(1)).isInstanceOf(ClosedException.class);
        }
    }
}
