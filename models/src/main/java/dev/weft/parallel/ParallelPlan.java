package dev.weft.parallel;

import dev.weft.RequestException;
import dev.weft.graph.Graph;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.ExpertTable;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceCommunicator;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a DeepSeek-V4 model is laid out over the ranks of a group. Sequences are data parallel: each belongs to one rank. The
 * routed experts are spread over all ranks; what else is spread is chosen here, and split by output rows only, so that every
 * sum is formed as on one device and results have the same bits. The rest is replicated. Source: distributed.md 1.
 *
 * @param ranks ranks of the group
 * @param head whether embedding (by columns) and output head (by rows) are spread over the ranks
 * @param output whether the output projections of attention are spread over the ranks: {@code wo_a} by groups, {@code wo_b}
 *     by rows
 * @param context whether long prompts are spread over the ranks: see {@link ContextCuts}
 * @param placement which rank holds which experts, null for contiguous blocks
 * @param capacity most rows that one rank receives in one layer of a step, 0 for as many as can ever arrive
 * @param fixedTokens most tokens of a rank up to which dispatch has the fixed layout: room for whatever may arrive, so that no
 *     count is waited for, and more bytes than needed travel; 0 for never, {@link #AUTOMATIC} for what suits the group
 */
public record ParallelPlan(
        int ranks,
        boolean head,
        boolean output,
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

    public ParallelPlan {
        if (ranks < 1 || capacity < 0 || fixedTokens < AUTOMATIC) {
            throw new RequestException("parallel plan: found " + ranks + " ranks, a capacity of " + capacity
                    + " rows and the fixed layout up to " + fixedTokens
                    + " tokens, expected 1 or more ranks and no negative numbers");
        }
        if (placement != null && placement.size() != ranks) {
            throw new RequestException("parallel plan: found an expert placement for " + placement.size()
                    + " ranks, expected one for " + ranks);
        }
    }

    /** Routed experts in contiguous blocks over {@code ranks} ranks. */
    public static ParallelPlan experts(int ranks) {
        return new ParallelPlan(ranks, false, false, false, null, 0, AUTOMATIC);
    }

    /** This plan with embedding and head spread. */
    public ParallelPlan withHead() {
        return new ParallelPlan(ranks, true, output, context, placement, capacity, fixedTokens);
    }

    /** This plan with the output projections of attention spread. */
    public ParallelPlan withOutput() {
        return new ParallelPlan(ranks, head, true, context, placement, capacity, fixedTokens);
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

    /** @throws RequestException naming everything of the model that cannot be spread like this */
    public void check(ModelConfig c) {
        List<String> wrong = obstacles(c);
        if (!wrong.isEmpty()) {
            throw new RequestException("parallel plan of " + ranks + " ranks: " + String.join("; ", wrong)
                    + "; use another number of ranks");
        }
    }

    /** Everything of a model that cannot be spread like this, empty if all can. */
    public List<String> obstacles(ModelConfig c) {
        List<String> wrong = new ArrayList<>();
        if (context && ranks == 1) {
            wrong.add("prompts are spread over two ranks or more");
        }
        if (placement == null) {
            require(c.nRoutedExperts() % ranks == 0, wrong, "n_routed_experts " + c.nRoutedExperts(), "is no multiple");
        } else if (placement.experts() != c.nRoutedExperts()) {
            wrong.add("the placement names " + placement.experts() + " experts, the model has " + c.nRoutedExperts());
        }
        if (head) {
            require(c.vocabSize() % ranks == 0, wrong, "vocab_size " + c.vocabSize(), "is no multiple");
            require(c.hiddenSize() % ranks == 0, wrong, "hidden_size " + c.hiddenSize(), "is no multiple");
        }
        if (output) {
            require(c.oGroups() % ranks == 0, wrong, "o_groups " + c.oGroups(), "is no multiple");
            require(
                    c.hiddenSize() % (FP8_BLOCK * ranks) == 0,
                    wrong,
                    "hidden_size " + c.hiddenSize(),
                    "gives no whole FP8 blocks of " + FP8_BLOCK + " rows to each");
        }
        return wrong;
    }

    private void require(boolean holds, List<String> wrong, String subject, String what) {
        if (!holds) {
            wrong.add(subject + " " + what + " of the ranks");
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
        return ranks == 1 ? ShardedGraph.whole(graph) : new GraphSharding(this, table(c), rank, graph, false, null).run();
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

    /** How a weight is spread, by its name in the graph. */
    Split split(String weight) {
        if (head && weight.equals("embed.weight")) {
            return Split.COLUMNS;
        }
        if (head && weight.equals("head.weight")) {
            return Split.ROWS;
        }
        boolean projection = weight.endsWith(".attn.wo_a.weight") || weight.endsWith(".attn.wo_b.weight");
        return output && projection ? Split.ROWS : Split.NONE;
    }

    /** Axis along which a weight is spread over the ranks. */
    enum Split {
        NONE,
        ROWS,
        COLUMNS
    }
}
