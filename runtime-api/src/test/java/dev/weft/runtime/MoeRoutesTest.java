package dev.weft.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.Dim;
import dev.weft.op.ExpertTable;
import dev.weft.op.MoeSend;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.LocalGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Routes against the definition, with experts that several ranks hold and experts without rows. */
class MoeRoutesTest {
    private static final int RANKS = 3;
    private static final ExpertTable TABLE =
            new ExpertTable(7, List.of(List.of(0, 1, 2, 5), List.of(1, 3, 4, 6), List.of(0, 2, 3, 5)));
    private static final int SLOTS = TABLE.slots();

    /** Rows that a rank has for an expert in a step: for most of them none if {@code spread} is large. */
    private static int rows(int step, int rank, int expert, int spread) {
        int mixed = (step * 31 + rank * 17 + expert * 7) * 2654435 >>> 3;
        return mixed % spread == 0 ? mixed % 4 : 0;
    }

    @ParameterizedTest
    @CsvSource({"1, 3", "3, 5", "1000, 2"})
    void rowsGoWhereTheTableSays(int spread, int steps) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(RANKS)) {
            List<Future<?>> all = new ArrayList<>();
            for (Communicator group : LocalGroup.of(RANKS, Duration.ofSeconds(30))) {
                all.add(threads.submit(() -> check(group, spread, steps)));
            }
            for (Future<?> f : all) {
                f.get();
            }
        }
    }

    private static void check(Communicator group, int spread, int steps) {
        MoeRoutes routes = new MoeRoutes(group);
        MoeSend op = new MoeSend(TABLE, Dim.named("received", 0, 1000));
        try (Arena arena = Arena.ofShared()) {
            MemorySegment firsts = arena.allocate(ValueLayout.JAVA_INT, SLOTS + 1L);
            MemorySegment counts = arena.allocate(ValueLayout.JAVA_LONG, RANKS * (long) SLOTS);
            for (int step = 0; step < steps; step++) {
                MemorySegment offsets = offsets(arena, group.rank(), step, spread);
                routes.meet("test", op, offsets);
                routes.write(firsts, counts);
                List<String> out = sent(group.rank(), step, spread);
                List<String> in = held(group.rank(), step, spread, firsts, counts);
                assertThat(text(routes.atSender())).isEqualTo(out);
                assertThat(text(routes.atHolder())).isEqualTo(in);
                assertThat(routes.received()).isEqualTo(firsts.getAtIndex(ValueLayout.JAVA_INT, SLOTS));
                // another step has been under way before the rows go back
                routes.meet("test", op, offsets(arena, group.rank(), step + 1, spread));
                routes.resume(TABLE, offsets, counts);
                assertThat(text(routes.atSender())).isEqualTo(out);
                assertThat(text(routes.atHolder())).isEqualTo(in);
            }
        }
    }

    private static MemorySegment offsets(Arena arena, int rank, int step, int spread) {
        int[] offsets = new int[TABLE.experts() + 1];
        for (int e = 0; e < TABLE.experts(); e++) {
            offsets[e + 1] = offsets[e] + rows(step, rank, e, spread);
        }
        return arena.allocateFrom(ValueLayout.JAVA_INT, offsets);
    }

    private static List<String> text(Route route) {
        List<String> runs = new ArrayList<>();
        for (int i = 0; i < route.runs(); i++) {
            runs.add(route.rank(i) + ": " + route.rows(i) + " from " + route.first(i));
        }
        return runs;
    }

    /** By receiver, then by expert. */
    private static List<String> sent(int rank, int step, int spread) {
        List<String> runs = new ArrayList<>();
        for (int to = 0; to < RANKS; to++) {
            int first = 0;
            for (int e = 0; e < TABLE.experts(); e++) {
                int rows = rows(step, rank, e, spread);
                if (rows > 0 && TABLE.rankOf(e, rank) == to) {
                    runs.add(to + ": " + rows + " from " + first);
                }
                first += rows;
            }
        }
        return runs;
    }

    /** By sender, then by expert, where rows lie by expert, then by sender; checks what was written as well. */
    private static List<String> held(int rank, int step, int spread, MemorySegment firsts, MemorySegment counts) {
        List<String> runs = new ArrayList<>();
        for (int from = 0; from < RANKS; from++) {
            int at = 0;
            for (int slot = 0; slot < SLOTS; slot++) {
                int e = TABLE.ranks().get(rank).get(slot);
                assertThat(firsts.getAtIndex(ValueLayout.JAVA_INT, slot)).isEqualTo(at);
                for (int s = 0; s < RANKS; s++) {
                    int rows = TABLE.rankOf(e, s) == rank ? rows(step, s, e, spread) : 0;
                    assertThat(counts.getAtIndex(ValueLayout.JAVA_LONG, (long) s * SLOTS + slot))
                            .isEqualTo(rows);
                    if (s == from && rows > 0) {
                        runs.add(s + ": " + rows + " from " + at);
                    }
                    at += rows;
                }
            }
        }
        return runs;
    }
}
