package dev.weft.plan;

import dev.weft.graph.Graph;
import dev.weft.graph.Value;
import dev.weft.model.LoadOptions;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What one rank holds when Weft runs a model: weights and states of the graphs that the loader compiles, in its BF16 mode, as
 * {@code Placement} counts them. Devices may add a little: alignment, another layout of weights. Values between nodes and
 * workspaces are not in it; a plan leaves memory free for them.
 */
public final class RankMemory {
    /** Rows of a step do not change weights and states. */
    private static final int STEP = 2;

    private record Weights(ParallelPlan plan, boolean drafts) {}

    private record Sequence(int context, boolean drafts) {}

    private final ModelConfig config;
    private final Map<Weights, Long> weights = new HashMap<>();
    private final Map<Sequence, Long> sequences = new HashMap<>();

    /** @throws dev.weft.WeftException from the other methods if Weft cannot build the model's graphs */
    public RankMemory(ModelConfig config) {
        this.config = config;
    }

    /**
     * Bytes of a rank's weights.
     *
     * @param drafts whether the MTP block is loaded too
     */
    public synchronized long weightBytes(ParallelPlan plan, boolean drafts) {
        return weights.computeIfAbsent(
                new Weights(plan, drafts), k -> bytes(graphs(STEP, drafts), plan, Value.Kind.WEIGHT));
    }

    /** Bytes of the states of one sequence of so many tokens: rings, caches, tokens not folded yet. */
    public synchronized long sequenceBytes(int context, boolean drafts) {
        return sequences.computeIfAbsent(
                new Sequence(context, drafts),
                k -> bytes(graphs(context, drafts), ParallelPlan.ALONE, Value.Kind.STATE));
    }

    private List<Graph> graphs(int context, boolean drafts) {
        LoadOptions options = LoadOptions.defaults().maxContext(context).maxTokens(STEP);
        return drafts
                ? List.of(V4Graphs.backbone(config, options.withMtp()), V4Graphs.mtp(config, options.withMtp()))
                : List.of(V4Graphs.backbone(config, options));
    }

    /** Values of the same name are one. */
    private long bytes(List<Graph> graphs, ParallelPlan plan, Value.Kind kind) {
        Map<String, Long> bytes = new HashMap<>();
        for (Graph g : graphs) {
            for (Value v : plan.share(g, config, 0).graph().values(kind)) {
                bytes.put(v.name(), v.type().maxDataBytes() + v.type().maxScaleBytes());
            }
        }
        return bytes.values().stream().mapToLong(b -> b).sum();
    }
}
