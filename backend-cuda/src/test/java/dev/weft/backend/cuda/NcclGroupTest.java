package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.weft.ClosedException;
import dev.weft.CommunicatorException;
import dev.weft.DeviceId;
import dev.weft.RequestException;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A group of three emulated devices: what moves arrives, in the order of the stream, and failures end the group. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class NcclGroupTest {
    private static final int RANKS = 3;
    private static final int BYTES = 1000;
    private static final Duration LONG = Duration.ofSeconds(30);
    private static final Duration SHORT = Duration.ofMillis(400);

    private Emulator emulator;
    private NcclEmulator nccl;

    @BeforeEach
    void start() {
        emulator = Emulator.start().with("devices", "3").with("delay", "300");
        nccl = new NcclEmulator().with("delay", "2000");
    }

    @AfterEach
    void stop() {
        if (nccl != null) {
            nccl.close();
        }
        if (emulator != null) {
            emulator.close();
        }
    }

    /** What a rank has: the same in every run. */
    private static byte[] data(int rank, int bytes) {
        byte[] data = new byte[bytes];
        new Random(rank).nextBytes(data);
        return data;
    }

    private static byte[] all(int bytes) {
        byte[] all = new byte[RANKS * bytes];
        for (int r = 0; r < RANKS; r++) {
            System.arraycopy(data(r, bytes), 0, all, r * bytes, bytes);
        }
        return all;
    }

    private <T> List<Future<T>> run(Duration deadline, CudaRanks.Work<T> work) {
        try (CudaBackend backend = emulator.open()) {
            return CudaRanks.run(backend, RANKS, deadline, work);
        }
    }

    private static MemorySegment heap(byte[] data) {
        return MemorySegment.ofArray(data);
    }

    private static MemorySegment host(byte... data) {
        return Arena.ofAuto().allocateFrom(ValueLayout.JAVA_BYTE, data);
    }

    private static byte[] bytes(MemorySegment host) {
        return host.toArray(ValueLayout.JAVA_BYTE);
    }

    @Test
    void memoryOfDevicesMovesInTheOrderOfTheStream() throws Exception {
        List<Future<byte[]>> results = run(LONG, group -> {
            byte[] back = new byte[RANKS * BYTES];
            try (DeviceStream stream = group.device().createStream();
                    DeviceBuffer mine = group.device().allocate(BYTES, 256);
                    DeviceBuffer of = group.device().allocate(RANKS * BYTES, 256)) {
                assertThat(group.transport()).isEqualTo("EMULATOR of NCCL 2.27.3");
                for (int repeat = 0; repeat < 3; repeat++) {
                    group.device().zero(mine.address(), BYTES);
                    group.device().zero(of.address(), RANKS * BYTES);
                    stream.copyIn(heap(data(group.rank(), BYTES)), mine.address());
                    group.allGather("rows", stream, mine.address(), of.address(), BYTES);
                    stream.copyOut(of.address(), heap(back));
                    // what follows must not overtake
                    stream.copyIn(heap(new byte[RANKS * BYTES]), of.address());
                    stream.synchronize();
                }
            }
            return back;
        });
        for (Future<byte[]> result : results) {
            assertThat(result.get()).isEqualTo(all(BYTES));
        }
    }

    /** Rank i sends 10 i + j + 1 bytes to rank j, none from 1 to 2, behind one another. */
    private static long bytes(int from, int to) {
        return from == 1 && to == 2 ? 0 : 10 * from + to + 1;
    }

    @Test
    void everyPairHasASizeOfItsOwn() throws Exception {
        List<Future<byte[]>> results = run(LONG, group -> {
            byte[] back = new byte[BYTES];
            long[][] send = new long[2][RANKS];
            long[][] receive = new long[2][RANKS];
            sizes(group.rank(), send, receive);
            try (DeviceStream stream = group.device().createStream();
                    DeviceBuffer from = group.device().allocate(BYTES, 256);
                    DeviceBuffer to = group.device().allocate(BYTES, 256)) {
                stream.copyIn(heap(data(group.rank(), BYTES)), from.address());
                stream.copyIn(heap(back), to.address());
                group.allToAllV(
                        "pairs", stream, from.address(), send[0], send[1], to.address(), receive[0], receive[1]);
                stream.copyOut(to.address(), heap(back));
                stream.synchronize();
            }
            MemorySegment onHost = host(new byte[BYTES]);
            group.allToAllV("pairs", host(data(group.rank(), BYTES)), send[0], send[1], onHost, receive[0], receive[1]);
            assertThat(bytes(onHost)).isEqualTo(back);
            return back;
        });
        for (int to = 0; to < RANKS; to++) {
            byte[] expected = new byte[BYTES];
            int at = 0;
            for (int from = 0; from < RANKS; from++) {
                int first = 0;
                for (int other = 0; other < to; other++) {
                    first += (int) bytes(from, other);
                }
                System.arraycopy(data(from, BYTES), first, expected, at, (int) bytes(from, to));
                at += (int) bytes(from, to);
            }
            assertThat(results.get(to).get()).isEqualTo(expected);
        }
    }

    private static void sizes(int rank, long[][] send, long[][] receive) {
        for (int r = 0; r < RANKS; r++) {
            send[0][r] = bytes(rank, r);
            receive[0][r] = bytes(r, rank);
            send[1][r] = r == 0 ? 0 : send[1][r - 1] + send[0][r - 1];
            receive[1][r] = r == 0 ? 0 : receive[1][r - 1] + receive[0][r - 1];
        }
    }

    @Test
    void hostMemoryMovesThroughTheDevice() throws Exception {
        List<Future<String>> results = run(LONG, group -> {
            MemorySegment gathered = host(new byte[RANKS * BYTES]);
            group.allGather("rows", host(data(group.rank(), BYTES)), gathered);
            assertThat(bytes(gathered)).isEqualTo(all(BYTES));
            MemorySegment one = host(data(group.rank(), BYTES));
            group.broadcast("one", one, 2);
            assertThat(bytes(one)).isEqualTo(data(2, BYTES));
            group.barrier("all");
            if (group.rank() == 0) {
                group.send("state", host(data(7, BYTES)), 1);
            } else if (group.rank() == 1) {
                MemorySegment state = host(new byte[BYTES]);
                group.receive("state", state, 0);
                assertThat(bytes(state)).isEqualTo(data(7, BYTES));
            }
            // ranks 0 and 2 part from 1, and change places
            try (Communicator part = group.split("ends", group.rank() % 2, -group.rank())) {
                MemorySegment ranks = host(new byte[part.size()]);
                part.allGather("ranks", host((byte) group.rank()), ranks);
                assertThat(bytes(ranks)).isEqualTo(group.rank() == 1 ? new byte[] {1} : new byte[] {2, 0});
                return part.name() + part.rank();
            }
        });
        assertThat(results.get(0).get()).isEqualTo("ends1");
        assertThat(results.get(1).get()).isEqualTo("ends0");
        assertThat(results.get(2).get()).isEqualTo("ends0");
    }

    @Test
    void whoeverWaitsForAStreamLearnsThatARankDoesNotAnswer() throws Exception {
        List<Future<String>> results = run(SHORT, group -> {
            group.step(4);
            if (group.rank() == 1) {
                Thread.sleep(4 * SHORT.toMillis());
                return assertFails(() -> group.barrier("late"));
            }
            try (DeviceStream stream = group.device().createStream();
                    DeviceBuffer buffer = group.device().allocate(RANKS * BYTES, 256)) {
                group.allGather("layers.3", stream, buffer.address(), buffer.address(), BYTES);
                String message = assertFails(stream::synchronize);
                assertThat(message)
                        .matches("rank [02] of 3 on device cuda:[02]: allGather 'layers.3' of group world, call 2 in"
                                + " step 4 \\(1000 bytes, EMULATOR of NCCL 2.27.3\\): not done after 0\\.\\d s;"
                                + " .*--ranks-deadline SECONDS or -Dweft.ranks.deadline=SECONDS");
                stream.synchronize(); // the device goes on
                assertThatThrownBy(() -> group.barrier("later"))
                        .isInstanceOf(CommunicatorException.class)
                        .hasMessage(message);
            }
            return "failed";
        });
        assertThat(results.get(0).get()).isEqualTo("failed");
        assertThat(results.get(1).get()).contains("barrier 'late' of group world", "not done after");
        assertThat(results.get(2).get()).isEqualTo("failed");
    }

    /** Whatever ends a part ends the group, and says where it happened. */
    @Test
    void aRankThatDoesNotComeToAPartEndsTheGroup() throws Exception {
        List<Future<String>> results = run(SHORT, group -> {
            group.step(6);
            try (Communicator part = group.split("ends", group.rank() % 2, group.rank())) {
                if (group.rank() == 2) {
                    Thread.sleep(4 * SHORT.toMillis());
                    return "late";
                }
                if (group.rank() == 1) {
                    return assertFails(() -> group.barrier("all"));
                }
                String message = assertFails(() -> part.barrier("some"));
                assertThat(assertFails(() -> group.barrier("all"))).isEqualTo(message);
                return message;
            }
        });
        assertThat(results.get(0).get())
                .contains("rank 0 of 3 on device cuda:0: barrier 'some' of group ends", "in step 6", "not done after");
        assertThat(results.get(1).get()).contains("rank 1 of 3 on device cuda:1: barrier 'all' of group world");
        assertThat(results.get(2).get()).isEqualTo("late");
    }

    /**
     * The end of one communicator waits for the device, on which the work of another hangs: all have to be told first, also where
     * groups of calls do not hold for ends.
     */
    @ParameterizedTest
    @ValueSource(strings = {"22703", "21805"})
    void groupsWithWorkOnOneStreamEndTogether(String version) throws Exception {
        nccl.with("version", version);
        List<Future<String>> results = run(SHORT, group -> {
            try (Communicator part = group.split("ends", group.rank() % 2, group.rank());
                    DeviceStream stream = group.device().createStream();
                    DeviceBuffer buffer = group.device().allocate(RANKS * BYTES, 256)) {
                if (group.rank() != 0) {
                    Thread.sleep(4 * SHORT.toMillis());
                    return "late";
                }
                group.allGather("all", stream, buffer.address(), buffer.address(), BYTES);
                ((DeviceCommunicator) part).allGather("some", stream, buffer.address(), buffer.address(), BYTES);
                return assertFails(stream::synchronize);
            }
        });
        assertThat(results.get(0).get()).contains("allGather 'all' of group world", "not done after");
        assertThat(results.get(1).get()).isEqualTo("late");
        assertThat(results.get(2).get()).isEqualTo("late");
    }

    private static String assertFails(ThrowingCallable call) {
        Throwable failure = catchThrowable(call);
        assertThat(failure).isInstanceOf(CommunicatorException.class);
        return failure.getMessage();
    }

    @Test
    void whatTheLibraryReportsByItselfEndsTheGroup() throws Exception {
        nccl.with("hang", "1:1:6");
        List<Future<String>> results = run(Duration.ofSeconds(2), group -> assertFails(() -> group.barrier("first")));
        assertThat(results.get(1).get())
                .contains("rank 1 of 3 on device cuda:1: barrier 'first'", "returned 6: remote process exited");
        assertThat(results.get(0).get()).contains("not done after 2.");
    }

    @Test
    void aRankThatEndsTheGroupSaysWhy() throws Exception {
        List<Future<String>> results = run(SHORT, group -> {
            if (group.rank() == 0) {
                group.abort("no expert 7");
                return assertFails(() -> group.barrier("after"));
            }
            return assertFails(() -> group.barrier("alone"));
        });
        assertThat(results.get(0).get()).isEqualTo("rank 0 of 3 on device cuda:0 ended group world: no expert 7");
        assertThat(results.get(2).get()).contains("barrier 'alone'", "not done after");
    }

    @Test
    void codesOfCallsAreNamed() throws Exception {
        for (String failure : List.of("ncclSend", "ncclRecv", "ncclGroupEnd")) {
            nccl.with("fail", failure + ":1:3");
            List<Future<String>> results = run(
                    SHORT,
                    group -> assertFails(() -> {
                        long[] one = {1, 1, 1};
                        long[] at = {0, 1, 2};
                        group.allToAllV("rows", host(new byte[3]), one, at, host(new byte[3]), one, at);
                    }));
            assertThat(results)
                    .as(failure)
                    .anySatisfy(r -> assertThat(r.get()).contains("allToAllV 'rows'", "returned 3: internal error"));
        }
    }

    @Test
    void aRankThatDoesNotJoinIsMissed() throws Exception {
        try (CudaBackend backend = emulator.open()) {
            List<Future<String>> results = CudaRanks.start(2, local -> {
                if (local.rank() == 1) {
                    local.broadcast("identity", Arena.global().allocate(NcclLibrary.ID_BYTES), 0);
                    return "gone";
                }
                try (BackendDevice device = backend.open(DeviceId.parse("cuda:0"))) {
                    return assertFails(() -> CudaRanks.join(local, device, SHORT));
                }
            });
            assertThat(results.get(0).get())
                    .contains("rank 0 of 2 on device cuda:0: join 'NCCL' of group world", "not done after");
        }
        nccl.with("fail", "ncclGetUniqueId:1:2");
        List<Future<Integer>> results = run(LONG, group -> 0);
        for (Future<Integer> result : results) {
            assertThatThrownBy(result::get).hasCauseInstanceOf(CommunicatorException.class);
        }
    }

    /** The other tests find no faults, so those must be seen where they are. */
    @Test
    void theEmulatorSeesSizesThatDiffer() {
        run(LONG, group -> {
            byte[] mine = new byte[2 + group.rank()];
            group.allGather("rows", host(mine), host(new byte[RANKS * mine.length]));
            return 0;
        });
        assertThat(nccl.faults()).isNotEmpty().allMatch(f -> f.startsWith("collective-mismatch: call 0"));
        run(LONG, group -> {
            long[] none = new long[RANKS];
            long[] send = {0, group.rank() == 0 ? 2 : 0, 0};
            long[] receive = {group.rank() == 1 ? 3 : 0, 0, 0};
            group.allToAllV("rows", host(new byte[3]), send, none, host(new byte[3]), receive, none);
            return 0;
        });
        assertThat(nccl.faults()).containsExactly("count-mismatch: rank 1 receives 3 bytes from rank 0, which sends 2");
    }

    @Test
    void aGroupEndsWithItsDeviceAndIsClosedOnce() throws Exception {
        List<Future<String>> results = run(LONG, group -> {
            group.barrier("all");
            assertThatThrownBy(() -> group.broadcast("x", host(new byte[1]), 3)).isInstanceOf(RequestException.class);
            if (group.rank() == 0) {
                group.device().close();
                assertThatThrownBy(() -> group.barrier("all")).isInstanceOf(ClosedException.class);
                return "closed";
            }
            group.close();
            group.close();
            assertThatThrownBy(() -> group.barrier("all")).isInstanceOf(ClosedException.class);
            return "left";
        });
        assertThat(results.get(0).get()).isEqualTo("closed");
        assertThat(results.get(1).get()).isEqualTo("left");
    }
}
