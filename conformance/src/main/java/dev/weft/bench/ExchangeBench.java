package dev.weft.bench;

import dev.weft.CommunicatorException;
import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.Dequantize;
import dev.weft.op.ExpertTable;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeReturn;
import dev.weft.op.MoeSend;
import dev.weft.op.Quantize;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.Closing;
import dev.weft.spi.Communicator;
import dev.weft.spi.HardwareLimit;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * The way of a layer's rows to the ranks of their experts and back, as a model takes it, against the transport's own
 * all-to-all of the same bytes. Every rank has as many tokens, each of which chooses experts by chance. In every round both
 * go there and back once, each way from a barrier on. All ranks call the same. Used by one thread.
 */
public final class ExchangeBench implements AutoCloseable {
    private static final String BACK = "back";
    private static final String LOCAL = "local";

    /** Places of the nodes in the graph. */
    private static final int SEND = 2;

    private static final int RETURN = 4;

    private static final int[] NODES = {SEND, RETURN};

    private static final boolean[] WEFT_FIRST = {true, false};
    private static final boolean[] PEER_FIRST = {false, true};

    /** Rounds before one that counts, at most: until loops over a few rows are compiled. */
    private static final int WARM_UP = 300;

    private static final long WARM_UP_BYTES = 512 << 20;

    private final Communicator group;
    private final Peer peer;
    private final TimedGroup timed;
    private final ExpertTable table;
    private final Graph graph;
    private final DeviceWeights weights;
    private final StateStore states;
    private final Execution execution;
    private final long[] rowsTo;
    private final long[] rowsFrom;
    private final long rowBytes;
    private final long backBytes;

    /** The transport's own all-to-all, there to be measured against. */
    public interface Peer {
        /** @return something that moves so many bytes to and from every rank each time it runs */
        Runnable allToAllV(long[] sendBytes, long[] receiveBytes);

        /** Whether {@link #libraryNanos} counts from now on; it costs time. */
        void countLibrary(boolean on);

        /**
         * Nanoseconds that calls of the group have spent in the transport's library and in pauses between two looks at what
         * has arrived.
         */
        long libraryNanos();
    }

    /**
     * One way as measured, or both together; times of a round are those of its slowest rank.
     *
     * @param result time of Weft; bytes are those that this rank sends to the others
     * @param peer time of the transport's own all-to-all, one entry per round
     * @param java time of Weft that no call of the group took, in the middle round of the rank where it is longest
     * @param groupJava time in calls of the group that the transport's library did not take, alike, in rounds of its own: to
     *     count it costs time, which is in it
     */
    public record Way(Result result, double[] peer, double java, double groupJava) {
        /** Time of the transport's own all-to-all in the middle round. */
        public double peerMedian() {
            return Quantile.median(peer);
        }

        /** Time of the transport's own all-to-all in the fastest tenth of the rounds. */
        public double peerP10() {
            return Quantile.p10(peer);
        }

        /** Share of the transport's own bandwidth, median of the rounds. */
        public double ofPeer() {
            return Quantile.median(shares());
        }

        /** Share of the transport's own bandwidth that nine in ten rounds reach. */
        public double ofPeerP10() {
            return Quantile.p10(shares());
        }

        private double[] shares() {
            double[] shares = new double[peer.length];
            Arrays.setAll(shares, i -> peer[i] / result.seconds()[i]);
            return shares;
        }
    }

    /**
     * @param peer of the group's transport
     * @param tokens of every rank
     */
    public ExchangeBench(
            Device device, Communicator group, Peer peer, ModelConfig model, int tokens, long seed) {
        this.group = group;
        this.peer = peer;
        this.timed = new TimedGroup(group, peer::libraryNanos);
        int k = model.numExpertsPerTok();
        this.table = ExpertTable.contiguous(model.nRoutedExperts(), group.size());
        this.graph = graph(table, tokens, k, model.hiddenSize());
        CompiledGraph compiled = device.compile(graph, CompileOptions.DEFAULT.withGroup(timed));
        this.weights = compiled.loadWeights((name, type) -> {
            throw new AssertionError(name);
        });
        this.states = compiled.newStates();
        this.execution = compiled.newExecution(weights, states);
        SplittableRandom random = new SplittableRandom(seed + group.rank());
        int[] experts = experts(random, tokens, k);
        this.rowsTo = new long[group.size()];
        Arrays.stream(experts).forEach(e -> rowsTo[table.rankOf(e, group.rank())]++);
        double[][] all =
                RankValues.all(group, Arrays.stream(rowsTo).asDoubleStream().toArray());
        this.rowsFrom =
                Arrays.stream(all).mapToLong(of -> (long) of[group.rank()]).toArray();
        TensorType sent = graph.nodes().get(SEND).inputs().getFirst().type();
        this.rowBytes = perRow(sent) + Float.BYTES;
        this.backBytes = DType.BF16.bytes(model.hiddenSize());
        feed(random, experts, tokens * model.hiddenSize());
        requireUnchanged();
    }

    private static Graph graph(ExpertTable table, int tokens, int k, int width) {
        GraphBuilder g = Graph.builder("exchange");
        Value x = g.input("x", TensorType.of(DType.BF16, tokens, width));
        Value experts = g.input("experts", TensorType.of(DType.I32, tokens, k));
        Value weights = g.input("weights", TensorType.of(DType.F32, tokens, k));
        Value codes = g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x);
        List<Value> sorted = g.nodes(new MoeDispatch(table.experts()), codes, experts, weights);
        long most = (long) table.size() * tokens * Math.min(k, table.slots());
        MoeSend send = new MoeSend(table, Dim.named("received", 0, most));
        List<Value> there = g.nodes(send, sorted.get(0), sorted.get(1), sorted.get(3));
        Value y = g.node(new Dequantize(DType.BF16), there.getFirst());
        MoeReturn back = new MoeReturn(table, Dim.fixed((long) tokens * k));
        g.output(BACK, g.node(back, y, there.get(3), sorted.get(3)));
        return g.output(LOCAL, g.node(new Dequantize(DType.BF16), sorted.get(0)))
                .build();
    }

    private int[] experts(SplittableRandom random, int tokens, int k) {
        int[] chosen = new int[tokens * k];
        int[] deck = IntStream.range(0, table.experts()).toArray();
        for (int i = 0; i < chosen.length; i++) {
            int place = i % k;
            int other = place + random.nextInt(deck.length - place);
            int e = deck[other];
            deck[other] = deck[place];
            deck[place] = e;
            chosen[i] = e;
        }
        return chosen;
    }

    private void feed(SplittableRandom random, int[] experts, int values) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = arena.allocate(DType.BF16.bytes(values), 64);
            for (long i = 0; i < values; i++) {
                x.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) DType.BF16.encode((float) random.nextGaussian()));
            }
            execution.set("x", x);
        }
        execution.set("experts", experts);
        float[] ones = new float[experts.length];
        Arrays.fill(ones, 1);
        execution.set("weights", ones);
    }

    private static long perRow(TensorType type) {
        long rows = type.shape().dim(0).maximum();
        return (type.maxDataBytes() + type.maxScaleBytes()) / rows;
    }

    /** Between there and back rows are only decoded, so each must come back as what it is. */
    private void requireUnchanged() {
        execution.run();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment back = arena.allocate(execution.outputBytes(BACK));
            MemorySegment local = arena.allocate(execution.outputBytes(LOCAL));
            execution.read(BACK, back);
            execution.read(LOCAL, local);
            long at = local.mismatch(back);
            if (at >= 0) {
                throw new CommunicatorException("exchange on rank " + group.rank() + " of " + group.size() + ": byte "
                        + at + " of " + local.byteSize() + " came back changed; the transport " + group.transport()
                        + " does not move data rightly");
            }
        }
    }

    /**
     * The way there, the way back, and both together.
     *
     * @param progress receives the number of rounds done
     */
    public List<Way> measure(Rounds rounds, IntConsumer progress) {
        Runnable bareThere = peer.allToAllV(bytes(rowsTo, rowBytes), bytes(rowsFrom, rowBytes));
        Runnable bareBack = peer.allToAllV(bytes(rowsFrom, backBytes), bytes(rowsTo, backBytes));
        double[][] own = new double[2][rounds.count()];
        double[][] bare = new double[2][rounds.count()];
        double[][] java = new double[2][rounds.count()];
        long[] nanos = new long[graph.nodes().size()];
        int before = rounds.warmUp() + warmUp(rounds.count());
        for (int round = -before; round < rounds.count(); round++) {
            long[] inside = {timed.nanos(label(SEND)), timed.nanos(label(RETURN))};
            double[] peerSeconds = new double[2];
            peer.countLibrary(round < 0 && round % 2 == 0); // so that both are compiled
            for (boolean weft : round % 2 == 0 ? WEFT_FIRST : PEER_FIRST) {
                if (weft) {
                    execution.profile(nanos);
                } else if (round >= -rounds.warmUp()) { // nothing of it is to be compiled
                    peerSeconds[0] = seconds(bareThere);
                    peerSeconds[1] = seconds(bareBack);
                }
            }
            for (int way = 0; round >= 0 && way < 2; way++) {
                int node = NODES[way];
                own[way][round] = Math.max(1, nanos[node]) / 1e9;
                bare[way][round] = peerSeconds[way];
                java[way][round] = (nanos[node] - (timed.nanos(label(node)) - inside[way])) / 1e9;
            }
            progress.accept(Math.max(0, round + 1));
        }
        double[][] groupJava = groupJava(rounds);
        Way there = way("dispatch", sentToOthers(rowsTo, rowBytes), own[0], bare[0], java[0], groupJava[0]);
        Way back = way("combine", sentToOthers(rowsFrom, backBytes), own[1], bare[1], java[1], groupJava[1]);
        return List.of(there, back, both(there, back, sum(java[0], java[1]), sum(groupJava[0], groupJava[1])));
    }

    /** Time in calls of the group outside its library, both ways; such rounds are slower, so nothing else is taken of them. */
    private double[][] groupJava(Rounds rounds) {
        double[][] seconds = new double[2][rounds.count()];
        long[] nanos = new long[graph.nodes().size()];
        peer.countLibrary(true);
        for (int round = -rounds.warmUp(); round < rounds.count(); round++) {
            double[] before = {outsideLibrary(SEND), outsideLibrary(RETURN)};
            execution.profile(nanos);
            for (int way = 0; round >= 0 && way < 2; way++) {
                seconds[way][round] = outsideLibrary(NODES[way]) - before[way];
            }
        }
        peer.countLibrary(false);
        return seconds;
    }

    private double outsideLibrary(int node) {
        return (timed.nanos(label(node)) - timed.libraryNanos(label(node))) / 1e9;
    }

    /** All ranks send as much, so they agree. */
    private int warmUp(int rounds) {
        long bytes = rowBytes * Arrays.stream(rowsTo).sum();
        return Math.toIntExact(Math.min((long) WARM_UP * rounds, WARM_UP_BYTES / Math.max(1, bytes)));
    }

    private String label(int node) {
        return graph.nodes().get(node).label();
    }

    private Way way(String name, long bytes, double[] own, double[] bare, double[] java, double[] groupJava) {
        Work work = new Work(bytes, 0, HardwareLimit.READ);
        return new Way(
                new Result(name, work, RankValues.largest(group, own), Optional.empty()),
                RankValues.largest(group, bare),
                longestMedian(java),
                longestMedian(groupJava));
    }

    private double longestMedian(double[] seconds) {
        return RankValues.largest(group, Quantile.median(seconds))[0];
    }

    private Way both(Way there, Way back, double[] java, double[] groupJava) {
        Work work = there.result().work().plus(back.result().work());
        double[] seconds = sum(there.result().seconds(), back.result().seconds());
        Result result = new Result("dispatch + combine", work, seconds, Optional.empty());
        return new Way(result, sum(there.peer(), back.peer()), longestMedian(java), longestMedian(groupJava));
    }

    private static double[] sum(double[] a, double[] b) {
        double[] sum = new double[a.length];
        Arrays.setAll(sum, i -> a[i] + b[i]);
        return sum;
    }

    private double seconds(Runnable bare) {
        group.barrier("measure");
        long start = System.nanoTime();
        bare.run();
        return (System.nanoTime() - start) / 1e9;
    }

    private static long[] bytes(long[] rows, long each) {
        return Arrays.stream(rows).map(n -> n * each).toArray();
    }

    private long sentToOthers(long[] rows, long each) {
        return (Arrays.stream(rows).sum() - rows[group.rank()]) * each;
    }

    @Override
    public void close() {
        Closing.all(List.of(execution, states, weights));
    }
}
