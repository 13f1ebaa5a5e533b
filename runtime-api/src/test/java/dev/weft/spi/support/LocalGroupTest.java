package dev.weft.spi.support;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CommunicatorException;
import dev.weft.RequestException;
import dev.weft.spi.Communicator;
import dev.weft.spi.PackedPieces;
import dev.weft.spi.Pieces;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ranks as threads: what each receives, and how all of them end. */
class LocalGroupTest {
    private static final Duration LONG = Duration.ofSeconds(30);

    /** What a rank does. */
    private interface Body<T> {
        T run(Communicator c, Arena arena) throws Exception;
    }

    private static <T> List<Future<T>> start(List<Communicator> ranks, Body<T> body) {
        try (ExecutorService threads = Executors.newFixedThreadPool(ranks.size())) {
            List<Future<T>> all = new ArrayList<>();
            for (Communicator c : ranks) {
                Callable<T> task = () -> {
                    try (Arena arena = Arena.ofConfined()) {
                        return body.run(c, arena);
                    }
                };
                all.add(threads.submit(task));
            }
            return all;
        }
    }

    private static <T> List<T> run(int size, Body<T> body) throws Exception {
        List<T> results = new ArrayList<>();
        for (Future<T> f : start(LocalGroup.of(size, LONG), body)) {
            results.add(f.get());
        }
        return results;
    }

    private static MemorySegment bytes(Arena arena, int... values) {
        MemorySegment s = arena.allocate(Math.max(1, values.length)).asSlice(0, values.length);
        for (int i = 0; i < values.length; i++) {
            s.set(ValueLayout.JAVA_BYTE, i, (byte) values[i]);
        }
        return s;
    }

    private static List<Integer> list(MemorySegment s) {
        List<Integer> all = new ArrayList<>();
        for (byte b : s.toArray(ValueLayout.JAVA_BYTE)) {
            all.add((int) b);
        }
        return all;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void allGatherIsInRankOrder(int size) throws Exception {
        List<List<Integer>> received = run(size, (c, arena) -> {
            MemorySegment out = arena.allocate(2L * size);
            c.allGather("test", bytes(arena, c.rank(), 10 + c.rank()), out);
            return list(out);
        });
        List<Integer> expected = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            expected.add(i);
            expected.add(10 + i);
        }
        assertThat(received).hasSize(size).containsOnly(expected);
    }

    /** A transport of its own, and the one that packs what has none. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everyPieceArrivesInItsPlace(boolean packed) throws Exception {
        int size = 3;
        List<List<Integer>> received = run(size, (c, arena) -> {
            Pieces send = new Pieces(size);
            Pieces receive = new Pieces(size);
            MemorySegment all = arena.allocate(100);
            for (int r = 0; r < size; r++) {
                // rank i sends rank j its number twice and then both, but the last rank sends itself alone
                if (c.rank() < 2 || r == 2) {
                    send.add(r, bytes(arena, c.rank(), c.rank()).address(), 2);
                    send.add(r, bytes(arena, 10 * c.rank() + r).address(), 1);
                }
                if (r < 2 || c.rank() == 2) {
                    receive.add(r, all.address() + 3L * r + 1, 2);
                    receive.add(r, all.address() + 3L * r, 1);
                }
            }
            if (packed) {
                PackedPieces.exchange(c, "test", send, receive);
            } else {
                c.exchange("test", send, receive);
            }
            return list(all.asSlice(0, 9));
        });
        assertThat(received)
                .containsExactly(
                        List.of(0, 0, 0, 10, 1, 1, 0, 0, 0),
                        List.of(1, 0, 0, 11, 1, 1, 0, 0, 0),
                        List.of(2, 0, 0, 12, 1, 1, 22, 2, 2));
    }

    @Test
    void allToAllVMovesDifferentAmounts() throws Exception {
        // rank i sends i + j bytes of value 10 i + j to rank j
        List<List<Integer>> received = run(3, (c, arena) -> {
            int i = c.rank();
            long[] sendBytes = {i, i + 1, i + 2};
            long[] sendOffsets = {0, i, 2 * i + 1};
            MemorySegment send = arena.allocate(3L * i + 3);
            for (int j = 0; j < 3; j++) {
                send.asSlice(sendOffsets[j], sendBytes[j]).fill((byte) (10 * i + j));
            }
            long[] receiveBytes = {i, i + 1, i + 2};
            // in the reverse order of ranks
            long[] receiveOffsets = {2L * i + 3, i + 2, 0};
            MemorySegment receive = arena.allocate(3L * i + 3);
            c.allToAllV("test", send, sendBytes, sendOffsets, receive, receiveBytes, receiveOffsets);
            return list(receive);
        });
        assertThat(received)
                .containsExactly(
                        List.of(20, 20, 10), List.of(21, 21, 21, 11, 11, 1), List.of(22, 22, 22, 22, 12, 12, 12, 2, 2));
    }

    @Test
    void broadcastSendAndSplit() throws Exception {
        List<List<Integer>> received = run(4, (c, arena) -> {
            MemorySegment data = bytes(arena, c.rank());
            c.broadcast("test", data, 2);
            List<Integer> result = new ArrayList<>(list(data));
            // a ring: even ranks send first
            MemorySegment mine = bytes(arena, c.rank());
            MemorySegment theirs = arena.allocate(1);
            int next = (c.rank() + 1) % 4;
            int previous = (c.rank() + 3) % 4;
            if (c.rank() % 2 == 0) {
                c.send("ring", mine, next);
                c.receive("ring", theirs, previous);
            } else {
                c.receive("ring", theirs, previous);
                c.send("ring", mine, next);
            }
            result.addAll(list(theirs));
            try (Communicator half = c.split("half", c.rank() % 2, -c.rank())) {
                MemorySegment out = arena.allocate(2);
                half.allGather("test", mine, out);
                result.addAll(list(out));
                result.add(half.rank());
                assertThat(half.name()).isEqualTo("half");
            }
            c.barrier("end");
            return result;
        });
        assertThat(received)
                .containsExactly(
                        List.of(2, 3, 2, 0, 1), List.of(2, 0, 3, 1, 1), List.of(2, 1, 2, 0, 0), List.of(2, 2, 3, 1, 0));
    }

    @Test
    void whoDoesNotAnswerIsNamed() {
        List<Communicator> ranks = LocalGroup.of(3, Duration.ofMillis(200));
        List<Future<Object>> all = start(ranks, (c, arena) -> {
            c.step(7);
            if (c.rank() != 1) {
                c.barrier("layers.3");
            }
            return c;
        });
        assertThat(all.get(1)).isDone();
        for (int i : new int[] {0, 2}) {
            assertThatThrownBy(() -> all.get(i).get())
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(CommunicatorException.class)
                    .hasMessageContaining("barrier layers.3")
                    .hasMessageContaining("step 7")
                    .hasMessageContaining("ranks [1] did not answer");
        }
        assertThatThrownBy(() -> ranks.get(1).barrier("later"))
                .as("the group is over for everybody")
                .isInstanceOf(CommunicatorException.class)
                .hasMessageContaining("did not answer");
    }

    @Test
    void whatEndsAPartEndsTheGroupAndItsOtherParts() {
        List<Future<Object>> late = start(LocalGroup.of(4, Duration.ofMillis(200)), (c, arena) -> {
            Communicator half = c.split("half", c.rank() / 2, c.rank());
            c.step(7);
            if (c.rank() == 2) {
                half.barrier("layers.3");
            }
            return c;
        });
        String message = "half: barrier layers.3: rank 2 of 4 waited 200 ms in step 7; ranks [3] did not answer";
        assertThatThrownBy(() -> late.get(2).get()).hasMessageContaining(message);
        assertThatThrownBy(() -> ((Communicator) late.get(0).resultNow()).barrier("later"))
                .isInstanceOf(CommunicatorException.class)
                .hasMessageContaining(message);
        List<Future<Object>> aborted = start(LocalGroup.of(4, LONG), (c, arena) -> {
            Communicator half = c.split("half " + c.rank() / 2, c.rank() / 2, c.rank());
            if (c.rank() == 1) {
                half.abort("out of memory on rank 1");
            } else {
                (c.rank() == 0 ? half : c).barrier("all");
            }
            return c;
        });
        for (int rank : new int[] {0, 2, 3}) {
            assertThatThrownBy(() -> aborted.get(rank).get())
                    .hasCauseInstanceOf(CommunicatorException.class)
                    .hasMessageContaining("out of memory on rank 1");
        }
    }

    @Test
    void aRankThatLeavesEndsTheOthersAtOnce() {
        List<Future<Object>> all = start(LocalGroup.of(2, LONG), (c, arena) -> {
            if (c.rank() == 0) {
                c.close();
                c.close();
            } else {
                c.receive("state", arena.allocate(8), 0);
            }
            return c;
        });
        assertThatThrownBy(() -> all.get(1).get())
                .hasCauseInstanceOf(CommunicatorException.class)
                .hasMessageContaining("have left the group");
    }

    @Test
    void ranksThatDisagreeEndAll() {
        List<Future<Object>> sizes = start(LocalGroup.of(2, LONG), (c, arena) -> {
            c.allGather("x", arena.allocate(1L + c.rank()), arena.allocate(2L + 2 * c.rank()));
            return c;
        });
        assertThatThrownBy(() -> sizes.get(0).get()).hasMessageContaining("bytes");
        assertThatThrownBy(() -> sizes.get(1).get()).hasMessageContaining("bytes");
        List<Future<Object>> calls = start(LocalGroup.of(2, LONG), (c, arena) -> {
            c.barrier(c.rank() == 0 ? "a" : "b");
            return c;
        });
        assertThatThrownBy(() -> calls.get(0).get()).hasMessageContaining("all ranks must run the same steps");
        List<Future<Object>> aborted = start(LocalGroup.of(2, LONG), (c, arena) -> {
            if (c.rank() == 0) {
                c.abort("out of memory on rank 0");
            }
            c.barrier("a");
            return c;
        });
        assertThatThrownBy(() -> aborted.get(1).get()).hasMessageContaining("out of memory on rank 0");
    }

    @Test
    void wrongArgumentsAreRefusedBeforeAnybodyWaits() {
        Communicator alone = LocalGroup.of(1, LONG).getFirst();
        MemorySegment heap = MemorySegment.ofArray(new byte[4]);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment four = arena.allocate(4);
            long[] one = {1};
            assertThatThrownBy(() -> LocalGroup.of(0, LONG)).isInstanceOf(RequestException.class);
            assertThatThrownBy(() -> alone.allGather("x", heap, four))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("heap");
            assertThatThrownBy(() -> alone.allGather("x", four, arena.allocate(5)))
                    .isInstanceOf(RequestException.class);
            assertThatThrownBy(() -> alone.broadcast("x", four, 1)).isInstanceOf(RequestException.class);
            assertThatThrownBy(() -> alone.send("x", four, -1)).isInstanceOf(RequestException.class);
            assertThatThrownBy(() -> alone.allToAllV("x", four, one, new long[] {4}, four, one, new long[] {0}))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("range");
            assertThatThrownBy(() -> alone.allToAllV("x", four, new long[0], one, four, one, one))
                    .isInstanceOf(RequestException.class);
        }
        alone.close();
    }
}
