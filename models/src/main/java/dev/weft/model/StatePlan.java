package dev.weft.model;

import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What sequences keep on the device, read from the graphs (specification 5.9): rings, of which every sequence has a row of
 * its own from the start, and caches, whose pages are given out as sequences grow.
 *
 * @param rings the window and the open blocks of every layer
 * @param caches the compressed entries and index keys of {@link LoadOptions#PAGE_TOKENS} tokens of every layer
 */
public record StatePlan(List<Row> rings, List<Row> caches) {
    private static final String CACHE_SUFFIX = ".cache";

    /**
     * One row of a state: what one sequence, or one page, has of it.
     *
     * @param name name of the state in the graph
     * @param type dtype and shape without the axis of slots or pages
     */
    public record Row(String name, TensorType type) {
        /** Bytes of the row. */
        public long bytes() {
            return type.maxDataBytes();
        }

        private static Row of(Value state) {
            long[] dims = state.type().shape().maximum();
            return new Row(state.name(), TensorType.of(state.type().dtype(), Arrays.copyOfRange(dims, 1, dims.length)));
        }
    }

    public StatePlan {
        rings = List.copyOf(rings);
        caches = List.copyOf(caches);
    }

    /** The states of a model, those of its MTP block included if the options want it. */
    public static StatePlan of(ModelConfig config, LoadOptions options) {
        StatePlan backbone = of(V4Graphs.backbone(config, options));
        return options.mtp() ? backbone.and(of(V4Graphs.mtp(config, options))) : backbone;
    }

    static StatePlan of(Graph graph) {
        List<Row> rings = new ArrayList<>();
        List<Row> caches = new ArrayList<>();
        for (Value v : graph.values(Value.Kind.STATE)) {
            (v.name().endsWith(CACHE_SUFFIX) ? caches : rings).add(Row.of(v));
        }
        return new StatePlan(rings, caches);
    }

    private StatePlan and(StatePlan other) {
        List<Row> allRings = new ArrayList<>(rings);
        List<Row> allCaches = new ArrayList<>(caches);
        allRings.addAll(other.rings);
        allCaches.addAll(other.caches);
        return new StatePlan(allRings, allCaches);
    }

    /** Bytes of the rings of one sequence, whatever its length. */
    public long ringBytes() {
        return rings.stream().mapToLong(Row::bytes).sum();
    }

    /** Bytes of one page in all caches. */
    public long pageBytes() {
        return caches.stream().mapToLong(Row::bytes).sum();
    }

    /** Bytes by which the caches of a sequence grow with each token, taken over whole pages. */
    public double bytesPerToken() {
        return (double) pageBytes() / LoadOptions.PAGE_TOKENS;
    }
}
