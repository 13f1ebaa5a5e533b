package dev.weft.backend.cpu.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceMemoryException;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Feed;
import dev.weft.model.LoadOptions;
import dev.weft.model.ModelMemory;
import dev.weft.model.Session;
import dev.weft.model.SessionMemory;
import dev.weft.model.StatePlan;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bytes are accounted for exactly, and what does not fit is refused before anything changes. */
class SessionMemoryTest {
    /** Every state begins at a multiple of this. */
    private static final long ALIGNMENT = 256;

    @TempDir
    private static Path directory;

    @BeforeAll
    static void write() {
        TinyModel.write(directory, TinyModel.config(), 5);
    }

    private static LoadOptions options() {
        return LoadOptions.defaults().maxContext(512).maxSequences(3);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void statesAreWhatThePlanSays(boolean mtp) {
        LoadOptions options = (mtp ? options().withMtp() : options()).cachePages(7);
        try (TinyModel tiny = TinyModel.open(directory, options)) {
            StatePlan plan = StatePlan.of(tiny.model().config(), options);
            long states = 0;
            for (StatePlan.Row ring : plan.rings()) {
                states += align(3 * ring.bytes());
            }
            for (StatePlan.Row cache : plan.caches()) {
                states += align(7 * cache.bytes());
            }
            ModelMemory memory = tiny.model().memory();
            assertThat(memory.states()).isEqualTo(states).isEqualTo(tiny.model().stateBytes());
            assertThat(memory.ringsPerSession()).isEqualTo(plan.ringBytes());
            assertThat(memory.page()).isEqualTo(plan.pageBytes());
            assertThat(memory.device()).isEqualTo(memory.weights() + memory.states() + memory.executions());
        }
    }

    private static long align(long bytes) {
        return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    }

    @Test
    void aSessionHoldsRingsPagesAndStreams() {
        try (TinyModel tiny = TinyModel.open(directory, options().withMtp());
                Session s = tiny.model().newSession()) {
            long rings = tiny.model().memory().ringsPerSession();
            long page = tiny.model().memory().page();
            // hidden size 128, four streams, two bytes each
            long row = 128 * 4 * 2;
            expect(s, rings, 0, 0, 0);
            s.append(TinyModel.ids(3, 1));
            expect(s, rings, page, 0, 3 * row);
            s.append(TinyModel.ids(260, 1));
            expect(s, rings, 3 * page, 0, 10 * row); // the rollback of 8 and two more
            try (Session fork = s.fork()) {
                expect(s, rings, 0, 3 * page, 10 * row);
                expect(fork, rings, 0, 3 * page, 10 * row);
                fork.append(1);
                expect(s, rings, page, 2 * page, 10 * row);
                expect(fork, rings, page, 2 * page, 10 * row);
                fork.truncate(256);
                expect(fork, rings, 0, 2 * page, 10 * row);
            }
            expect(s, rings, 3 * page, 0, 10 * row);
            s.reset();
            expect(s, rings, 0, 0, 10 * row);
        }
    }

    private static void expect(Session s, long rings, long own, long shared, long streams) {
        SessionMemory m = s.memory();
        assertThat(List.of(m.rings(), m.ownPages(), m.sharedPages(), m.streams()))
                .containsExactly(rings, own, shared, streams);
        assertThat(m.device()).isEqualTo(rings + own + shared);
        // the lists keep their room, which is at most twice what they ever held
        assertThat(m.tokens()).isBetween(4L * s.position(), 4L * 2 * (263 + 4));
        assertThat(m.host()).isEqualTo(streams + m.tokens());
    }

    @Test
    void aStepThatWouldRunOutOfPagesChangesNothing() {
        try (TinyModel tiny = TinyModel.open(directory, options().cachePages(5))) {
            DeepSeekV4 model = tiny.model();
            try (Session a = model.newSession();
                    Session b = model.newSession();
                    Session alone = model.newSession()) {
                a.append(TinyModel.ids(250, 1)); // two pages
                b.append(TinyModel.ids(200, 2)); // two pages
                Feed more = new Feed(a, TinyModel.ids(10, 3), Feed.Want.LAST);
                Feed most = new Feed(b, TinyModel.ids(60, 4), Feed.Want.LAST);
                assertThatThrownBy(() -> model.step(List.of(more, most)))
                        .isInstanceOf(DeviceMemoryException.class)
                        .hasMessageContaining("cache pages: found 1 free of 5, expected 2")
                        .hasMessageContaining("cachePages");
                assertThat(a.position()).isEqualTo(250);
                assertThat(b.position()).isEqualTo(200);
                assertThat(model.memory().freePages()).isOne();
                // refused as a whole although its first chunks would fit
                assertThatThrownBy(() -> b.append(TinyModel.ids(300, 4))).isInstanceOf(DeviceMemoryException.class);
                assertThat(b.position()).isEqualTo(200);
                float[] logits = model.step(List.of(more)).getFirst()[0];
                a.reset();
                b.reset();
                alone.append(TinyModel.ids(250, 1));
                assertThat(alone.append(TinyModel.ids(10, 3))).containsExactly(logits);
            }
            assertThat(model.memory().freePages()).isEqualTo(5);
        }
    }

    @Test
    void copiesOfSharedPagesAreCountedExactly() {
        try (TinyModel tiny = TinyModel.open(directory, options().cachePages(4))) {
            DeepSeekV4 model = tiny.model();
            try (Session a = model.newSession()) {
                a.append(TinyModel.ids(200, 1));
                try (Session b = a.fork();
                        Session c = a.fork()) {
                    List<Feed> all = List.of(one(a), one(b), one(c));
                    // three write to the second page, so two of them need a copy, and two pages are free
                    model.step(all);
                    assertThat(model.memory().freePages()).isZero();
                    assertThat(List.of(a.position(), b.position(), c.position()))
                            .containsExactly(201, 201, 201);
                    a.reset(); // its own second page comes back
                    assertThat(model.memory().freePages()).isOne();
                }
            }
        }
    }

    private static Feed one(Session s) {
        return new Feed(s, new int[] {7}, Feed.Want.NONE);
    }

    @Test
    void aTruncationThatCannotComputeAgainChangesNothing() {
        try (TinyModel tiny = TinyModel.open(directory, options().cachePages(4))) {
            DeepSeekV4 model = tiny.model();
            int[] ids = TinyModel.ids(384, 1);
            try (Session a = model.newSession();
                    Session b = model.newSession()) {
                a.append(ids);
                Session fork = a.fork();
                b.append(1);
                // all three pages are shared, none is free, and position 200 needs two
                assertThatThrownBy(() -> a.truncate(200))
                        .isInstanceOf(DeviceMemoryException.class)
                        .hasMessageContaining("found 0 free of 4, expected 2");
                assertThat(a.tokens()).containsExactly(ids);
                fork.close();
                a.truncate(200);
                assertThat(a.position()).isEqualTo(200);
            }
        }
    }

    @Test
    void statesBeyondTheLimitAreRefusedAtLoad() {
        long needed;
        try (TinyModel tiny = TinyModel.open(directory, options())) {
            needed = tiny.model().memory().states();
        }
        assertThatThrownBy(() -> TinyModel.open(directory, options().stateLimit(needed - 1)))
                .isInstanceOf(DeviceMemoryException.class)
                .hasMessageContaining(directory.toString())
                .hasMessageContaining("found " + needed + " bytes, expected at most stateLimit=" + (needed - 1))
                .hasMessageContaining("fewer sequences");
        TinyModel.open(directory, options().stateLimit(needed)).close();
    }
}
