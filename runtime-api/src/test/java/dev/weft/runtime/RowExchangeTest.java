package dev.weft.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.RowExchange.Column;
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

/** Rows of several arrays reach their places, whether their messages are packed, whole, or one per run. */
class RowExchangeTest {
    private static final int RANKS = 3;
    private static final int SLOTS = 4;

    /** Rows that a rank has for a slot of another; some have none. */
    private static int rows(int from, int to, int slot) {
        return (from * 5 + to * 3 + slot * 2) % 4;
    }

    private static byte value(int column, int from, int to, int slot, int row) {
        return (byte) (column * 50 + from * 41 + to * 17 + slot * 5 + row);
    }

    /** Sent by (receiver, slot), received by (slot, sender), as rows of experts are. */
    @ParameterizedTest
    @CsvSource({"1, 1", "40, 4", "3000, 40", "9000, 5000"})
    void rowsReachTheirPlaces(int wide, int narrow) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(RANKS)) {
            List<Future<?>> all = new ArrayList<>();
            for (Communicator group : LocalGroup.of(RANKS, Duration.ofSeconds(30))) {
                all.add(threads.submit(() -> check(group, wide, narrow)));
            }
            for (Future<?> f : all) {
                f.get();
            }
        }
    }

    private static void check(Communicator group, int... widths) {
        int me = group.rank();
        RowExchange exchange = new HostRowExchange(group);
        for (int repeat = 0; repeat < 2; repeat++) {
            Route out = new Route(RANKS);
            Route in = new Route(RANKS);
            long sent = 0;
            for (int to = 0; to < RANKS; to++) {
                for (int slot = 0; slot < SLOTS; slot++) {
                    out.add(to, sent, rows(me, to, slot));
                    sent += rows(me, to, slot);
                }
            }
            long received = 0;
            for (int from = 0; from < RANKS; from++) {
                for (int slot = 0; slot < SLOTS; slot++) {
                    in.add(from, place(me, from, slot), rows(from, me, slot));
                    received += rows(from, me, slot);
                }
            }
            try (Arena arena = Arena.ofShared()) {
                List<MemorySegment> results = new ArrayList<>();
                for (int c = 0; c < widths.length; c++) {
                    MemorySegment from = arena.allocate(sent * widths[c]);
                    long at = 0;
                    for (int to = 0; to < RANKS; to++) {
                        for (int slot = 0; slot < SLOTS; slot++) {
                            for (int row = 0; row < rows(me, to, slot); row++) {
                                from.asSlice(at++ * widths[c], widths[c]).fill(value(c, me, to, slot, row));
                            }
                        }
                    }
                    results.add(arena.allocate(received * widths[c]));
                    exchange.with(Column.whole(from, results.getLast(), widths[c]));
                }
                exchange.run("test", out, in);
                for (int c = 0; c < widths.length; c++) {
                    require(results.get(c), c, me, widths[c]);
                }
            }
        }
    }

    /** First row that a rank receives from another for a slot. */
    private static long place(int to, int from, int slot) {
        long before = 0;
        for (int s = 0; s <= slot; s++) {
            for (int r = 0; r < (s < slot ? RANKS : from); r++) {
                before += rows(r, to, s);
            }
        }
        return before;
    }

    private static void require(MemorySegment found, int column, int me, int width) {
        long at = 0;
        for (int slot = 0; slot < SLOTS; slot++) {
            for (int from = 0; from < RANKS; from++) {
                for (int row = 0; row < rows(from, me, slot); row++) {
                    for (byte b : found.asSlice(at++ * width, width).toArray(ValueLayout.JAVA_BYTE)) {
                        assertThat(b).isEqualTo(value(column, from, me, slot, row));
                    }
                }
            }
        }
        assertThat(at * width).isEqualTo(found.byteSize());
    }
}
