package dev.weft.conformance.model;

import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.weft.model.DeepSeekV4;
import dev.weft.model.Feed;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Prefill;
import dev.weft.model.PrefixCache;
import dev.weft.model.Session;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/** What caches must keep: however tokens arrive, the logits have the same bits. */
final class EqualityChecks {
    private static final int SHORT = 40;

    private final ModelConformance suite;
    private final GoldenModel golden;
    private final NumericMode mode;

    EqualityChecks(ModelConformance suite, GoldenModel golden, NumericMode mode) {
        this.suite = suite;
        this.golden = golden;
        this.mode = mode;
    }

    Stream<DynamicTest> tests() {
        String name = golden + " " + mode + ": ";
        return Stream.of(
                dynamicTest(name + "prefill(a) + decode(b) = prefill(a+b) up to " + SHORT, this::prefillThenDecode),
                dynamicTest(name + "the same around multiples of 4 and 128", this::aroundBlocks),
                dynamicTest(name + "chunks at any cut = one prefill", this::chunks),
                dynamicTest(name + "a batch = each alone", this::batch),
                dynamicTest(name + "fork, truncate and reset = a fresh run", this::rollback),
                dynamicTest(name + "saved and loaded, or begun with a remembered prefix = a fresh run", this::kept));
    }

    private int[] ids() {
        try (GoldenTensors g = golden.tensors("fp32")) {
            return g.ints("input_ids");
        }
    }

    private void prefillThenDecode() {
        int[] ids = Arrays.copyOf(ids(), SHORT);
        suite.withModel(golden, options(1).maxTokens(SHORT), model -> {
            float[][] whole = whole(model, ids);
            for (int a = 1; a <= SHORT; a++) {
                try (Session s = model.newSession()) {
                    float[][] head = s.appendAll(Arrays.copyOf(ids, a));
                    for (int i = 0; i < a; i++) {
                        Compare.sameBits("prefill of " + a + ", position " + i, head[i], whole[i]);
                    }
                    for (int p = a; p < SHORT; p++) {
                        Compare.sameBits("prefill of " + a + ", decode at " + p, s.append(ids[p]), whole[p]);
                    }
                }
            }
        });
    }

    private void aroundBlocks() {
        int[] ids = Arrays.copyOf(ids(), 264);
        suite.withModel(golden, options(1).maxTokens(264), model -> {
            float[][] whole = whole(model, ids);
            for (int split : new int[] {123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 252, 255, 256, 257}) {
                try (Session s = model.newSession()) {
                    Compare.sameBits("prefill of " + split, s.append(Arrays.copyOf(ids, split)), whole[split - 1]);
                    for (int p = split; p < Math.min(split + 6, 264); p++) {
                        Compare.sameBits("prefill of " + split + ", decode at " + p, s.append(ids[p]), whole[p]);
                    }
                }
            }
        });
    }

    private void chunks() {
        int[] ids = ids();
        suite.withModel(golden, options(1).maxTokens(ids.length), model -> {
            float[][] whole = whole(model, ids);
            SplittableRandom random = new SplittableRandom(7);
            for (int round = 0; round < 6; round++) {
                try (Session s = model.newSession()) {
                    while (s.position() < ids.length) {
                        int from = s.position();
                        int n = Math.min(1 + random.nextInt(round < 3 ? 17 : 150), ids.length - from);
                        float[][] rows = s.appendAll(Arrays.copyOfRange(ids, from, from + n));
                        for (int i = 0; i < n; i++) {
                            Compare.sameBits("chunk at " + from + " of " + n + ", row " + i, rows[i], whole[from + i]);
                        }
                    }
                }
            }
        });
    }

    private void batch() {
        int[] ids = ids();
        int n = 5;
        suite.withModel(golden, options(n + 1).maxTokens(200), model -> {
            List<int[]> texts = new ArrayList<>();
            List<float[][]> alone = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                texts.add(Arrays.copyOfRange(ids, 11 * i, 11 * i + 100 + 13 * i));
                try (Session s = model.newSession()) {
                    alone.add(s.appendAll(texts.get(i)));
                }
            }
            List<Session> sessions = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                sessions.add(model.newSession());
            }
            SplittableRandom random = new SplittableRandom(3);
            while (sessions.stream().anyMatch(s -> s.position() < text(texts, sessions, s).length)) {
                List<Feed> feeds = new ArrayList<>();
                for (Session s : sessions) {
                    int left = text(texts, sessions, s).length - s.position();
                    int take = Math.min(left, random.nextInt(4) == 0 ? 0 : 1 + random.nextInt(30));
                    if (take > 0) {
                        int[] part = Arrays.copyOfRange(text(texts, sessions, s), s.position(), s.position() + take);
                        feeds.add(new Feed(s, part, Feed.Want.ALL));
                    }
                }
                if (!feeds.isEmpty()) {
                    checkStep(model, feeds, sessions, alone);
                }
            }
            sessions.forEach(Session::close);
        });
    }

    private static int[] text(List<int[]> texts, List<Session> sessions, Session s) {
        return texts.get(sessions.indexOf(s));
    }

    private static void checkStep(DeepSeekV4 model, List<Feed> feeds, List<Session> sessions, List<float[][]> alone) {
        List<float[][]> out = model.step(feeds);
        for (int f = 0; f < feeds.size(); f++) {
            Session s = feeds.get(f).session();
            int index = sessions.indexOf(s);
            int from = s.position() - feeds.get(f).tokens().length;
            for (int i = 0; i < out.get(f).length; i++) {
                String what = "sequence " + index + " of a batch of " + feeds.size() + ", position " + (from + i);
                Compare.sameBits(what, out.get(f)[i], alone.get(index)[from + i]);
            }
        }
    }

    private void rollback() {
        int[] ids = ids();
        int n = 270;
        suite.withModel(golden, options(3).maxTokens(n).rollback(8), model -> {
            float[][] whole = whole(model, Arrays.copyOf(ids, n));
            try (Session s = model.newSession()) {
                s.append(Arrays.copyOf(ids, 260));
                // near: the rings still hold what is needed, also across block boundaries; far: computed again
                for (int to : new int[] {259, 256, 254, 252, 130, 127, 5, 1, 0}) {
                    s.truncate(to);
                    int[] wrong = {7, 8, 9};
                    try (Session fork = s.fork()) {
                        fork.append(wrong);
                        fork.truncate(to);
                        Compare.sameBits("fork at " + to, fork.append(ids[to]), whole[to]);
                    }
                    s.append(wrong);
                    s.truncate(to);
                    Compare.sameBits("after truncating to " + to, s.append(ids[to]), whole[to]);
                    Compare.sameBits("one later", s.append(ids[to + 1]), whole[to + 1]);
                    s.truncate(to);
                    int back = Math.min(260, to + 140);
                    if (to > 0) {
                        s.append(Arrays.copyOfRange(ids, to, back));
                    }
                    s.truncate(to);
                }
                s.reset();
                Compare.sameBits("after reset", s.append(Arrays.copyOf(ids, n)), whole[n - 1]);
            }
        });
    }

    private void kept() {
        int[] ids = Arrays.copyOf(ids(), 270);
        suite.withModel(golden, options(3).maxTokens(ids.length), model -> {
            float[][] whole = whole(model, ids);
            try (PrefixCache cache = new PrefixCache(model, Long.MAX_VALUE, ids.length)) {
                for (int at : new int[] {100, 127, 128, 129, 260}) {
                    int[] prompt = Arrays.copyOf(ids, at + 4);
                    try (Session s = model.newSession()) {
                        s.append(Arrays.copyOf(ids, at));
                        cache.remember(s);
                        try (Session loaded = saved(model, s)) {
                            Compare.sameBits("loaded at " + at, loaded.append(ids[at]), whole[at]);
                            Compare.sameBits("one later", loaded.append(ids[at + 1]), whole[at + 1]);
                        }
                        s.append(1, 2, 3); // what is remembered must not change with its origin
                    }
                    Prefill begun = cache.begin(prompt);
                    try (Session s = begun.session()) {
                        if (begun.hit() != at) {
                            throw new AssertionError("found a hit of " + begun.hit() + " tokens, expected " + at);
                        }
                        Compare.sameBits("behind a hit of " + at, begun.run(() -> false), whole[at + 3]);
                        Compare.sameBits("one later", s.append(ids[at + 4]), whole[at + 4]);
                    }
                    cache.clear();
                }
            }
        });
    }

    private static Session saved(DeepSeekV4 model, Session session) {
        try {
            Path file = Files.createTempFile("weft-session", ".safetensors");
            try {
                session.save(file);
                return model.loadSession(file);
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static float[][] whole(DeepSeekV4 model, int[] ids) {
        try (Session s = model.newSession()) {
            return s.appendAll(ids);
        }
    }

    private LoadOptions options(int sequences) {
        return LoadOptions.defaults().mode(mode).maxContext(512).maxSequences(sequences);
    }
}
