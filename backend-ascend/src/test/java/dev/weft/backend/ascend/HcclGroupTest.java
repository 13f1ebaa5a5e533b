package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CommunicatorException;
import dev.weft.DeviceId;
import dev.weft.RequestException;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.support.PinnedPool;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Groups of emulated devices: what their bytes do, and how they end when a rank does not come. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HcclGroupTest {
    private static final Duration LONG = Duration.ofSeconds(30);
    private static final Duration SHORT = Duration.ofMillis(400);

    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start().with("devices", "4");
    }

    @AfterEach
    void stop() {
        if (emulator != null) {
            emulator.close();
        }
    }

    private static AscendDevice open(AscendBackend backend, int ordinal) {
        return (AscendDevice) backend.open(new DeviceId(AscendBackend.NAME, ordinal, ""));
    }

    private interface Work {
        Object run(DeviceCommunicator group) throws Exception;
    }

    /** Runs the work on groups of a device each; everything is closed afterwards. */
    private List<Object> outcomes(int ranks, Duration deadline, Work work) {
        try (AscendBackend backend = emulator.open()) {
            return Threads.outcomes(ranks, (rank, fromRankZero) -> {
                try (AscendDevice device = open(backend, rank);
                        DeviceCommunicator group = device.join("world", rank, ranks, fromRankZero, deadline)) {
                    return work.run(group);
                }
            });
        }
    }

    private void all(int ranks, Work work) {
        assertThat(outcomes(ranks, LONG, work)).containsOnly("done");
    }

    private static MemorySegment bytes(Arena arena, long size, int from) {
        MemorySegment s = arena.allocate(size, 8);
        for (long i = 0; i < size; i++) {
            s.set(ValueLayout.JAVA_BYTE, i, (byte) (from + 7 * i));
        }
        return s;
    }

    private static void requireBytes(MemorySegment found, long offset, long size, int from) {
        try (Arena arena = Arena.ofConfined()) {
            assertThat(found.asSlice(offset, size).mismatch(bytes(arena, size, from)))
                    .isEqualTo(-1);
        }
    }

    /** Bytes of rank {@code from} for rank {@code to}; none of some. */
    private static long share(int from, int to) {
        return from == 1 && to != 1 ? 0 : 3 + 100L * from + 7L * to;
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void memoryOfTheHost(int ranks) {
        all(ranks, group -> {
            int rank = group.rank();
            group.barrier("start");
            try (Arena arena = Arena.ofConfined()) {
                for (long size : new long[] {0, 1, 4099, PinnedPool.CHUNK + 5}) {
                    MemorySegment gathered = arena.allocate(size * ranks, 8);
                    group.allGather("some", bytes(arena, size, rank), gathered);
                    MemorySegment one = bytes(arena, size, rank);
                    group.broadcast("last", one, ranks - 1);
                    for (int i = 0; i < ranks; i++) {
                        requireBytes(gathered, i * size, size, i);
                    }
                    requireBytes(one, 0, size, ranks - 1);
                }
                exchange(group, arena);
                MemorySegment passed = bytes(arena, 100, rank);
                if (rank == 0) {
                    group.send("on", passed, ranks - 1);
                } else if (rank == ranks - 1) {
                    group.receive("on", passed, 0);
                    requireBytes(passed, 0, 100, 0);
                }
            }
            return "done";
        });
    }

    private static void exchange(Communicator group, Arena arena) {
        int rank = group.rank();
        long[][] sizes = new long[4][group.size()];
        long out = 0;
        long in = 0;
        for (int other = 0; other < group.size(); other++) {
            sizes[0][other] = share(rank, other);
            sizes[1][other] = out;
            out += sizes[0][other];
            sizes[2][other] = share(other, rank);
            sizes[3][other] = in + 11;
            in += sizes[2][other] + 11;
        }
        MemorySegment send = arena.allocate(out, 8);
        MemorySegment receive = arena.allocate(in + 11, 8).fill((byte) 77);
        for (int other = 0; other < group.size(); other++) {
            MemorySegment.copy(
                    bytes(arena, sizes[0][other], 10 * rank + other), 0, send, sizes[1][other], sizes[0][other]);
        }
        group.allToAllV("rows", send, sizes[0], sizes[1], receive, sizes[2], sizes[3]);
        for (int other = 0; other < group.size(); other++) {
            requireBytes(receive, sizes[3][other], sizes[2][other], 10 * other + rank);
            assertThat(receive.get(ValueLayout.JAVA_BYTE, sizes[3][other] - 1))
                    .as("what lies between the parts")
                    .isEqualTo((byte) 77);
        }
    }

    @Test
    void memoryOfTheDeviceInTheOrderOfTheStream() {
        all(3, group -> {
            AscendDevice device = (AscendDevice) group.device();
            int rank = group.rank();
            try (Arena arena = Arena.ofConfined();
                    DeviceBuffer data = device.allocate(1000, 64);
                    DeviceBuffer gathered = device.allocate(3000, 64);
                    DeviceStream stream = device.createStream()) {
                MemorySegment result = arena.allocate(3000);
                MemorySegment turned = arena.allocate(3000);
                stream.copyIn(bytes(arena, 1000, rank), data.address());
                group.allGather("parts", stream, data.address(), gathered.address(), 1000);
                stream.copyOut(gathered.address(), result);
                long[] each = {1000, 1000, 1000};
                long[] places = {0, 1000, 2000};
                long[] reversed = {2000, 1000, 0};
                group.allToAllV("turn", stream, gathered.address(), each, places, gathered.address(), each, reversed);
                group.broadcast("first", stream, data.address(), 1000, 0);
                stream.copyOut(gathered.address(), turned);
                stream.copyOut(data.address(), result.asSlice(0, 1000));
                group.barrier("on another stream, after what this one still has to do");
                stream.synchronize();
                requireBytes(result, 0, 1000, 0);
                requireBytes(result, 2000, 1000, 2);
                requireBytes(turned, 0, 1000, rank);
            }
            return "done";
        });
    }

    @Test
    void partsOfAGroup() {
        all(4, group -> {
            int rank = group.rank();
            try (Communicator half = group.split("half", rank % 2, rank);
                    Communicator alone = half.split("alone", rank, 0);
                    Arena arena = Arena.ofConfined()) {
                assertThat(List.of(half.rank(), half.size(), alone.size())).containsExactly(rank / 2, 2, 1);
                MemorySegment gathered = arena.allocate(200);
                half.allGather("halves", bytes(arena, 100, rank), gathered);
                requireBytes(gathered, 0, 100, rank % 2);
                requireBytes(gathered, 100, 100, rank % 2 + 2);
                alone.barrier("itself");
                exchange(group, arena);
            }
            assertThatThrownBy(() -> group.split("backwards", 0, -rank))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContainingAll("[3, 2, 1, 0]", "expected ascending");
            return "done";
        });
    }

    @Test
    void whatMustBeEqualIsComparedOnAllRanks() {
        List<Object> outcomes = joins((rank, config) -> rank == 1 ? config.with(AscendOptions.BUFFER, "400") : config);
        assertThat(outcomes)
                .hasSize(3)
                .allSatisfy(outcome -> assertThat((Throwable) outcome)
                        .isInstanceOf(CommunicatorException.class)
                        .hasMessageContaining("HCCL_BUFFSIZE is '200' on ranks 0, 2, '400' on rank 1"));
    }

    private interface Setting {
        BackendConfig of(int rank, BackendConfig config);
    }

    /** Joins with a backend per rank. */
    private List<Object> joins(Setting setting) {
        try (AscendBackend keepsOpen = emulator.open()) {
            assertThat(keepsOpen.devices()).hasSize(4);
            return Threads.outcomes(3, (rank, fromRankZero) -> {
                try (AscendBackend backend = emulator.open(setting.of(rank, BackendConfig.DEFAULT));
                        AscendDevice device = open(backend, rank)) {
                    return device.join("world", rank, 3, fromRankZero, LONG);
                }
            });
        }
    }

    @Test
    void rankZeroThatCannotBeginTellsTheOthers() {
        emulator.with("fail", "HcclGetRootInfo:1:507899");
        assertThat(outcomes(2, LONG, group -> "done"))
                .allSatisfy(outcome -> assertThat((Throwable) outcome)
                        .isInstanceOf(CommunicatorException.class)
                        .hasMessageContainingAll("rank 0 could not open the group", "HCCL_E_RUNTIME"));
    }

    @Test
    void aRankTableNamesTheRanks(@TempDir Path folder) throws IOException {
        Path table = Files.writeString(
                folder.resolve("hccl.json"),
                "{'status': 'completed', 'rank_list': [{'rank_id': 0}, {'rank_id': 1}, {'rank_id': 2}]}"
                        .replace('\'', '"'));
        List<Object> groups = joins((rank, config) -> config.with(AscendOptions.RANK_TABLE, table.toString()));
        assertThat(groups)
                .extracting(g -> g instanceof HcclGroup group ? "rank " + group.rank() + " of " + group.size() : g)
                .containsExactly("rank 0 of 3", "rank 1 of 3", "rank 2 of 3");
        emulator.with("hccl_timeout", "0.2");
        assertThat(joins((rank, config) -> rank == 0 ? config : config.with(AscendOptions.RANK_TABLE, table.toString()))
                        .subList(1, 3))
                .allSatisfy(outcome -> assertThat((Throwable) outcome)
                        .isInstanceOf(CommunicatorException.class)
                        .hasMessageContaining("RANK_TABLE_FILE is set, on rank 0 it is otherwise"));
    }

    @Test
    void aRankTableThatCannotBeReadIsRefused() {
        List<Object> outcomes = joins((rank, config) -> config.with(AscendOptions.RANK_TABLE, "/nowhere/table.json"));
        assertThat(outcomes)
                .allSatisfy(outcome -> assertThat((Throwable) outcome)
                        .isInstanceOf(CommunicatorException.class)
                        .hasMessageContaining("RANK_TABLE_FILE: /nowhere/table.json cannot be read"));
    }

    /** Weft's own deadline, while HCCL would wait longer. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aRankThatHangsEndsTheOthersByTheDeadline(boolean onDevice) {
        emulator.with("hccl_timeout", "1.4");
        CountDownLatch over = new CountDownLatch(1);
        List<Object> outcomes = outcomes(2, SHORT, group -> {
            if (group.rank() == 1) {
                over.await();
                return "hung";
            }
            group.step(5);
            try {
                exchangeAlone(group, onDevice);
                return "came";
            } catch (CommunicatorException e) {
                assertThatThrownBy(() -> group.barrier("another")).hasMessage(e.getMessage());
                return e;
            } finally {
                over.countDown();
            }
        });
        assertThat((Throwable) outcomes.getFirst())
                .isInstanceOf(CommunicatorException.class)
                .hasMessageContainingAll(
                        "rank 0 of 2 on ascend:0",
                        "allGather 'layers.3' of group world, call 2 in step 5 (100 bytes)",
                        "not done after",
                        "--ranks-deadline",
                        "HCCL_EXEC_TIMEOUT");
        assertThat(outcomes.getLast()).isEqualTo("hung");
        assertThat(emulator.faults().lines()).hasSize(1).first().asString().contains("collective-timeout");
    }

    private static void exchangeAlone(DeviceCommunicator group, boolean onDevice) {
        try (Arena arena = Arena.ofConfined();
                DeviceBuffer data = group.device().allocate(300, 64);
                DeviceStream stream = group.device().createStream()) {
            if (onDevice) {
                stream.copyIn(bytes(arena, 100, 1), data.address());
                group.allGather("layers.3", stream, data.address(), data.address() + 100, 100);
                stream.synchronize();
            } else {
                group.allGather("layers.3", arena.allocate(100), arena.allocate(200));
            }
        }
    }

    /** HCCL's own limit comes first. */
    @Test
    void aRankThatLeavesEndsTheOthersByHcclsTimeout() {
        emulator.with("hccl_timeout", "0.4");
        List<Object> outcomes = outcomes(2, LONG, group -> {
            if (group.rank() == 0) {
                group.barrier("layers.3");
            }
            return "left";
        });
        assertThat((Throwable) outcomes.getFirst())
                .isInstanceOf(CommunicatorException.class)
                .hasMessageContainingAll("barrier 'layers.3'", "107020", "HCCL_EXEC_TIMEOUT");
        assertThat(emulator.faults().lines()).hasSize(1).first().asString().contains("collective-timeout");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.4", "1.5"})
    void aRankThatDoesNotJoin(String timeoutOfHccl) {
        emulator.with("hccl_timeout", timeoutOfHccl);
        boolean first = timeoutOfHccl.equals("0.4");
        try (AscendBackend backend = emulator.open();
                AscendDevice device = open(backend, 0)) {
            assertThatThrownBy(() -> device.join("world", 0, 2, UnaryOperator.identity(), first ? LONG : SHORT))
                    .isInstanceOf(CommunicatorException.class)
                    .hasMessageContainingAll(
                            "rank 0 of 2 on ascend:0: join of group world",
                            "HCCL_CONNECT_TIMEOUT",
                            first ? "HCCL_E_TIMEOUT" : "not all ranks came within 0.4 s");
        }
    }

    @Test
    void aLostDeviceEndsItsRank() {
        emulator.with("fail", "stream:20:507018").with("hccl_timeout", "0.5");
        List<Object> outcomes = outcomes(2, LONG, group -> {
            for (int i = 0; i < 100; i++) {
                group.barrier("layer " + i);
            }
            return "done";
        });
        assertThat(outcomes)
                .allSatisfy(outcome -> assertThat((Throwable) outcome)
                        .isInstanceOf(CommunicatorException.class)
                        .hasMessageContaining("barrier 'layer "));
        assertThat(outcomes)
                .anySatisfy(outcome -> assertThat((Throwable) outcome).hasMessageContaining("507018"));
        assertThat(emulator.faults().lines())
                .allSatisfy(line -> assertThat(line).contains("collective-timeout"));
    }

    @Test
    void aForgottenGroupGoesWithItsDevice() {
        try (AscendBackend backend = emulator.open()) {
            List<DeviceCommunicator> groups = Threads.run(2, (rank, fromRankZero) -> {
                try (AscendDevice device = open(backend, rank)) {
                    DeviceCommunicator group = device.join("world", rank, 2, fromRankZero, LONG);
                    group.split("half", rank, 0);
                    return group;
                }
            });
            groups.forEach(DeviceCommunicator::close);
            assertThatThrownBy(() -> groups.getFirst().barrier("late")).hasMessageContaining("used after close");
        }
    }
}
