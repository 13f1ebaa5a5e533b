package dev.weft.parallel;

import dev.weft.RequestException;
import dev.weft.graph.Graph;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.ExpertTable;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceCommunicator;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * How a DeepSeek-V4 model is laid out over ranks. Sequences are data parallel: each belongs to one rank. The routed experts
 * are spread over all ranks; what else is spread is chosen here, over blocks of consecutive ranks, and split by output rows
 * only, so that every sum is formed as on one device and results have the same bits. The rest is replicated. Source:
 * distributed.md 1.
 *
 * @param ranks all ranks
 * @param head ranks of a block over which embedding (by columns) and output head (by rows) are spread; 1 if every rank has them
 * @param output ranks of a block over which the output projections of attention are spread, {@code wo_a} by groups and
 *     {@code wo_b} by rows; 1 if every rank has them
 * @param context whether long prompts are spread over all ranks: see {@link ContextCuts}
 * @param placement which rank holds which experts, null for contiguous blocks
 * @param capacity most rows that one rank receives in one layer of a step, 0 for as many as can ever arrive
 * @param fixedTokens most tokens of a rank up to which dispatch has the fixed layout: room for whatever may arrive, so that no
 *     count is waited for, and more bytes than needed travel; 0 for never, {@link #AUTOMATIC} for what suits the group
 */
public record ParallelPlan(
        int ranks,
        int head,
        int output,
        boolean context,
        @Nullable ExpertTable placement,
        long capacity,
        int fixedTokens) {
    /** Value of {@code fixedTokens}: {@value #DEVICE_FIXED_TOKENS} where devices move rows themselves, else none. */
    public static final int AUTOMATIC = -1;

    /** One device. */
    public static final ParallelPlan ALONE = experts(1);

    /** Tokens of a rank whose padding costs a fast link about as much as a count costs a host. */
    private static final int DEVICE_FIXED_TOKENS = 32;

    /** Rows of an FP8 weight block, which must not be split. */
    private static final int FP8_BLOCK = 128;

    private static final String MULTIPLE = " is no multiple of the ranks";

    public ParallelPlan {
        if (ranks < 1 || head < 1 || output < 1 || capacity < 0 || fixedTokens < AUTOMATIC) {
            throw new RequestException("parallel plan: found " + ranks + " ranks, blocks of " + head
                    + " for the head and of "
                    + output + " for output projections, a capacity of " + capacity
                    + " rows and the fixed layout up to "
                    + fixedTokens + " tokens, expected 1 or more ranks in all and in a block, and no negative numbers");
        }
        if (placement != null && placement.size() != ranks) {
            throw new RequestException("parallel plan: found an expert placement for " + placement.size()
                    + " ranks, expected one for " + ranks);
        }
    }

    /** Routed experts in contiguous blocks over {@code ranks} ranks. */
    public static ParallelPlan experts(int ranks) {
        return new ParallelPlan(ranks, 1, 1, false, null, 0, AUTOMATIC);
    }

    /** This plan with embedding and head spread over all ranks. */
    public ParallelPlan withHead() {
        return withHead(ranks);
    }

    /** This plan with embedding and head spread over blocks of so many ranks. */
    public ParallelPlan withHead(int block) {
        return new ParallelPlan(ranks, block, output, context, placement, capacity, fixedTokens);
    }

    /** This plan with the output projections of attention spread over all ranks. */
    public ParallelPlan withOutput() {
        return withOutput(ranks);
    }

    /** This plan with the output projections of attention spread over blocks of so many ranks. */
    public ParallelPlan withOutput(int block) {
        return new ParallelPlan(ranks, head, block, context, placement, capacity, fixedTokens);
    }

    /** This plan with long prompts spread. */
    public ParallelPlan withContext() {
        return new ParallelPlan(ranks, head, output, true, placement, capacity, fixedTokens);
    }

    /** This plan with other places for the experts, some of which may have replicas. */
    public ParallelPlan withPlacement(ExpertTable placement) {
        return new ParallelPlan(ranks, head, output, context, placement, capacity, fixedTokens);
    }

    /** This plan with a bound on the rows that one rank receives, which bounds its memory. */
    public ParallelPlan withCapacity(long capacity) {
        return new ParallelPlan(ranks, head, output, context, placement, capacity, fixedTokens);
    }

    /** This plan with the fixed layout of dispatch in steps where no rank has more than so many tokens; 0 for never. */
    public ParallelPlan withFixedTokens(int tokens) {
        return new ParallelPlan(ranks, head, output, context, placement, capacity, tokens);
    }

    /** Most tokens of a rank with which a step over {@code group} has the fixed layout of dispatch. */
    public int fixedTokens(Communicator group) {
        if (fixedTokens != AUTOMATIC) {
            return fixedTokens;
        }
        return group instanceof DeviceCommunicator ? DEVICE_FIXED_TOKENS : 0;
    }

    /** In the fixed layout, the dimension that says how many of the rows counted by {@code dim} any rank has at most. */
    public static String most(String dim) {
        return dim + ".most";
    }

    /** Ranks of the largest blocks over which a model's embedding and head can be spread; all if they cannot be spread. */
    public static int largestHead(int ranks, ModelConfig c) {
        return largest(ranks, block -> headObstacles(c, block));
    }

    /** Ranks of the largest blocks over which a model's output projections can be spread; all if they cannot be spread. */
    public static int largestOutput(int ranks, ModelConfig c) {
        return largest(ranks, block -> outputObstacles(c, block));
    }

    private static int largest(int ranks, IntFunction<List<String>> obstacles) {
        return IntStream.iterate(ranks, block -> block > 1, block -> block - 1)
                .filter(block -> ranks % block == 0 && obstacles.apply(block).isEmpty())
                .findFirst()
                .orElse(ranks);
    }

    /** Ranks of the blocks that run collectives, besides all ranks. */
    public Set<Integer> blocks() {
        return Stream.of(head, output).filter(b -> b > 1 && b < ranks).collect(Collectors.toSet());
    }

    /** @throws RequestException naming everything of the model that cannot be spread like this */
    public void check(ModelConfig c) {
        List<String> wrong = obstacles(c);
        if (!wrong.isEmpty()) {
            throw new RequestException("parallel plan of " + ranks + " ranks: " + String.join("; ", wrong)
                    + "; use another number of ranks, or other blocks of them");
        }
    }

    /** Everything of a model that cannot be spread like this, empty if all can. */
    public List<String> obstacles(ModelConfig c) {
        List<String> wrong = new ArrayList<>();
        if (context && ranks == 1) {
            wrong.add("prompts are spread over two ranks or more");
        }
        if (placement == null) {
            require(c.nRoutedExperts() % ranks == 0, wrong, "n_routed_experts " + c.nRoutedExperts() + MULTIPLE);
        } else if (placement.experts() != c.nRoutedExperts()) {
            wrong.add("the placement names " + placement.experts() + " experts, the model has " + c.nRoutedExperts());
        }
        wrong.addAll(ofBlocks("head", head, headObstacles(c, head)));
        wrong.addAll(ofBlocks("output", output, outputObstacles(c, output)));
        return wrong;
    }

    private List<String> ofBlocks(String part, int block, List<String> wrong) {
        if (ranks % block != 0) {
            return List.of(part + "=" + block + " is no divisor of the ranks");
        }
        String which = block < ranks ? " in a block of " + part + "=" + block : "";
        return wrong.stream().map(w -> w + which).toList();
    }

    private static List<String> headObstacles(ModelConfig c, int block) {
        List<String> wrong = new ArrayList<>();
        require(c.vocabSize() % block == 0, wrong, "vocab_size " + c.vocabSize() + MULTIPLE);
        require(c.hiddenSize() % block == 0, wrong, "hidden_size " + c.hiddenSize() + MULTIPLE);
        return wrong;
    }

    private static List<String> outputObstacles(ModelConfig c, int block) {
        List<String> wrong = new ArrayList<>();
        require(c.oGroups() % block == 0, wrong, "o_groups " + c.oGroups() + MULTIPLE);
        require(
                block == 1 || c.hiddenSize() % (FP8_BLOCK * block) == 0,
                wrong,
                "hidden_size " + c.hiddenSize() + " gives no whole FP8 blocks of " + FP8_BLOCK
                        + " rows to each of the ranks");
        return wrong;
    }

    private static void require(boolean holds, List<String> wrong, String obstacle) {
        if (!holds) {
            wrong.add(obstacle);
        }
    }

    /** Which rank holds which experts of a model. */
    public ExpertTable table(ModelConfig c) {
        return placement == null ? ExpertTable.contiguous(c.nRoutedExperts(), ranks) : placement;
    }

    /**
     * One rank's share of a graph of {@code dev.weft.model.V4Graphs}; the graph itself on one rank.
     *
     * @throws RequestException as {@link #check}
     */
    public ShardedGraph share(Graph graph, ModelConfig c, int rank) {
        check(c);
        return ranks == 1
                ? ShardedGraph.whole(graph)
                : new GraphSharding(this, table(c), rank, graph, false, null).run();
    }

    /**
     * As {@link #share}, with the fixed layout of dispatch. Who runs it binds {@link #most} of the rows' dimension to the same
     * number on all ranks, none of which has more.
     */
    public ShardedGraph shareFixed(Graph graph, ModelConfig c, int rank) {
        check(c);
        return new GraphSharding(this, table(c), rank, graph, true, null).run();
    }

    /**
     * As {@link #share}, for steps in which all ranks compute parts of one long prompt: between the rows of a layer and their
     * readers, ranks give each other what lies before their parts.
     *
     * @param inputs what the exchanges are fed with; every step sets them
     */
    public ShardedGraph shareContext(Graph graph, ModelConfig c, int rank, ContextInputs inputs) {
        check(c);
        return new GraphSharding(this, table(c), rank, graph, false, inputs).run();
    }

    /** How a weight is spread, by its name in the graph; empty if it is not. */
    Optional<Split> split(String weight) {
        boolean projection = weight.endsWith(".attn.wo_a.weight") || weight.endsWith(".attn.wo_b.weight");
        Split split = switch (weight) {
            case "embed.weight" -> new Split(Axis.COLUMNS, head);
            case "head.weight" -> new Split(Axis.ROWS, head);
            default -> new Split(Axis.ROWS, projection ? output : 1);
        };
        return Optional.of(split).filter(s -> s.block() > 1);
    }

    /**
     * How a weight is spread.
     *
     * @param block ranks that hold a share each
     */
    record Split(Axis axis, int block) {}

    /** Along what a weight is spread. */
    enum Axis {
        ROWS,
        COLUMNS
    }
}
