package dev.weft.backend.cpu.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CommunicatorException;
import dev.weft.DType;
import dev.weft.RequestException;
import dev.weft.TensorType;
import dev.weft.UnsupportedOpException;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.AllGather;
import dev.weft.op.AllReduce;
import dev.weft.op.AllToAll;
import dev.weft.op.AllToAllV;
import dev.weft.op.Broadcast;
import dev.weft.op.Op;
import dev.weft.op.ReduceScatter;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.ForwardingGroup;
import dev.weft.spi.support.LocalGroup;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Collective operators in graphs of their own, over ranks that are threads. */
class CollectivesTest {
    private static final int RANKS = 3;
    private static final int ROWS = 6;
    private static final int WIDTH = 4;

    /** Values whose sum depends on the order: the large ones of ranks 0 and 1 cancel, if nothing comes between them. */
    private static float value(int rank, int i) {
        float large = i % 2 == 0 ? 3e7f : 0;
        return switch (rank) {
            case 0 -> large + i;
            case 1 -> -large;
            default -> 0.25f * i;
        };
    }

    private static float[] values(int rank, DType dtype) {
        float[] v = new float[ROWS * WIDTH];
        for (int i = 0; i < v.length; i++) {
            v[i] = dtype.round(value(rank, i));
        }
        return v;
    }

    /** In rank order, in F32, rounded once. */
    private static float[] sum(DType dtype) {
        float[] sum = values(0, dtype);
        for (int r = 1; r < RANKS; r++) {
            float[] more = values(r, dtype);
            for (int i = 0; i < sum.length; i++) {
                sum[i] += more[i];
            }
        }
        for (int i = 0; i < sum.length; i++) {
            sum[i] = dtype.round(sum[i]);
        }
        return sum;
    }

    /** The results of all ranks, which must not depend on whether rows move through host memory. */
    private static List<float[]> run(Op op, DType dtype) throws Exception {
        List<float[]> onHost = run(op, dtype, new long[0][], (group, device) -> group);
        List<float[]> onDevice = run(op, dtype, new long[0][], OnDevice::new);
        for (int r = 0; r < RANKS; r++) {
            assertThat(onDevice.get(r)).containsExactly(onHost.get(r));
        }
        return onHost;
    }

    private static List<float[]> run(
            Op op, DType dtype, long[][] counts, BiFunction<Communicator, BackendDevice, Communicator> joined)
            throws Exception {
        List<Future<float[]>> all = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(RANKS)) {
            for (Communicator group : LocalGroup.of(RANKS, Duration.ofSeconds(30))) {
                all.add(threads.submit(() -> onRank(op, dtype, group, counts, joined)));
            }
        }
        List<float[]> results = new ArrayList<>();
        for (Future<float[]> f : all) {
            results.add(f.get());
        }
        return results;
    }

    private static float[] onRank(
            Op op,
            DType dtype,
            Communicator group,
            long[][] counts,
            BiFunction<Communicator, BackendDevice, Communicator> joined) {
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(1))) {
            Device device = weft.device("cpu:0");
            CompiledGraph compiled = device.compile(
                    graph(op, dtype), CompileOptions.DEFAULT.withGroup(joined.apply(group, device.spi())));
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states)) {
                for (int repeat = 0; repeat < 2; repeat++) {
                    execution.set("x", bytes(values(group.rank(), dtype), dtype));
                    if (op instanceof AllToAllV) {
                        execution.set("counts", MemorySegment.ofArray(counts[group.rank()]));
                    }
                    execution.run();
                }
                return execution.floats("y");
            }
        }
    }

    private static MemorySegment bytes(float[] values, DType dtype) {
        if (dtype == DType.F32) {
            return MemorySegment.ofArray(values);
        }
        short[] codes = new short[values.length];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (short) dtype.encode(values[i]);
        }
        return MemorySegment.ofArray(codes);
    }

    private static Graph graph(Op op, DType dtype) {
        GraphBuilder g = Graph.builder("collective");
        Value x = g.input("x", TensorType.of(dtype, ROWS, WIDTH));
        return g.output(
                        "y",
                        op instanceof AllToAllV
                                ? g.node(op, x, g.input("counts", TensorType.of(DType.I64, RANKS)))
                                : g.node(op, x))
                .build();
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void sumsAreInRankOrder(DType dtype) throws Exception {
        float[] expected = sum(dtype);
        for (float[] y : run(new AllReduce(RANKS), dtype)) {
            assertThat(y).containsExactly(expected);
        }
        List<float[]> shares = run(new ReduceScatter(RANKS), dtype);
        int share = expected.length / RANKS;
        for (int r = 0; r < RANKS; r++) {
            assertThat(shares.get(r)).containsExactly(Arrays.copyOfRange(expected, r * share, (r + 1) * share));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void rowsArriveInRankOrder(DType dtype) throws Exception {
        float[] all = new float[RANKS * ROWS * WIDTH];
        for (int r = 0; r < RANKS; r++) {
            System.arraycopy(values(r, dtype), 0, all, r * ROWS * WIDTH, ROWS * WIDTH);
        }
        assertThat(run(new AllGather(RANKS), dtype))
                .allSatisfy(y -> assertThat(y).containsExactly(all));
        assertThat(run(new Broadcast(RANKS), dtype))
                .allSatisfy(y -> assertThat(y).containsExactly(values(0, dtype)));
    }

    @Test
    void equalSharesArriveInRankOrder() throws Exception {
        List<float[]> received = run(new AllToAll(RANKS), DType.F32);
        int share = ROWS * WIDTH / RANKS;
        for (int to = 0; to < RANKS; to++) {
            for (int from = 0; from < RANKS; from++) {
                assertThat(Arrays.copyOfRange(received.get(to), from * share, (from + 1) * share))
                        .containsExactly(
                                Arrays.copyOfRange(values(from, DType.F32), to * share, (to + 1) * share));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everyRankSendsAsManyRowsAsItSays(boolean onDevice) throws Exception {
        long[][] counts = {{1, 2, 3}, {0, 0, 0}, {0, 5, 1}};
        List<float[]> received =
                run(new AllToAllV(RANKS), DType.F32, counts, onDevice ? OnDevice::new : (group, device) -> group);
        for (int to = 0; to < RANKS; to++) {
            List<Float> expected = new ArrayList<>();
            for (int from = 0; from < RANKS; from++) {
                float[] x = values(from, DType.F32);
                long first = Arrays.stream(counts[from], 0, to).sum();
                for (long i = first * WIDTH; i < (first + counts[from][to]) * WIDTH; i++) {
                    expected.add(x[(int) i]);
                }
            }
            float[] y = received.get(to);
            assertThat(y).hasSize(RANKS * ROWS * WIDTH);
            for (int i = 0; i < expected.size(); i++) {
                assertThat(y[i]).as("rank %d, value %d", to, i).isEqualTo(expected.get(i));
            }
        }
    }

    /** The others would wait for a rank that refuses alone. */
    @ParameterizedTest
    @ValueSource(longs = {7, -1})
    void countsThatOneRankCannotServeAreRefusedByAll(long wrong) throws Exception {
        long[][] counts = {{1, 2, 3}, {0, wrong, 0}, {0, 5, 1}};
        try (ExecutorService threads = Executors.newFixedThreadPool(RANKS)) {
            List<Future<float[]>> ranks = new ArrayList<>();
            for (Communicator group : LocalGroup.of(RANKS, Duration.ofSeconds(30))) {
                ranks.add(threads.submit(
                        () -> onRank(new AllToAllV(RANKS), DType.F32, group, counts, (g, device) -> g)));
            }
            for (Future<float[]> rank : ranks) {
                assertThatThrownBy(rank::get)
                        .hasCauseInstanceOf(RequestException.class)
                        .hasMessageContaining("rank 1 of 3 has 6 rows and would send " + wrong);
            }
        }
    }

    /** A transport whose call fails while something of it may still arrive. */
    private static final class Failing extends ForwardingGroup {
        Failing(Communicator group) {
            super(group);
        }

        @Override
        public void allGather(String what, MemorySegment send, MemorySegment receive) {
            throw new CommunicatorException("not done after 1.0 s");
        }

        @Override
        public boolean isUnderWay() {
            return true;
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void memoryThatATransportMayStillReachIsNotFreed(boolean fails) {
        try (Weft weft =
                Weft.open(BackendConfig.DEFAULT.withThreads(1).withMemoryLimit(1 << 20))) {
            Device device = weft.device("cpu:0");
            Communicator alone = LocalGroup.of(1, Duration.ofSeconds(30)).getFirst();
            Communicator group = fails ? new Failing(alone) : alone;
            CompiledGraph compiled =
                    device.compile(graph(new AllGather(1), DType.F32), CompileOptions.DEFAULT.withGroup(group));
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates()) {
                long before = device.spi().availableBytes().orElseThrow();
                try (Execution execution = compiled.newExecution(weights, states)) {
                    execution.set("x", bytes(values(0, DType.F32), DType.F32));
                    if (fails) {
                        assertThatThrownBy(execution::run).isInstanceOf(CommunicatorException.class);
                    } else {
                        execution.run();
                    }
                }
                long missing = before - device.spi().availableBytes().orElseThrow();
                assertThat(missing > 0).as("%d bytes stay", missing).isEqualTo(fails);
            }
        }
    }

    @Test
    void withoutRanksTheyAreRefusedWhereTheGraphIsCompiled() {
        try (Weft weft = Weft.open()) {
            assertThatThrownBy(() -> weft.device("cpu:0").compile(graph(new AllReduce(RANKS), DType.F32)))
                    .isInstanceOf(UnsupportedOpException.class)
                    .hasMessageContaining("allReduce");
        }
    }
}
