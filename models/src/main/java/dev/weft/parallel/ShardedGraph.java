package dev.weft.parallel;

import dev.weft.graph.Graph;
import dev.weft.spi.WeightSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * One rank's share of a graph: the same inputs, outputs and states, smaller weights, and the collectives between. Weights
 * keep the names of the whole ones.
 *
 * @param graph what this rank runs
 * @param shards which part of which weight it reads; weights that are not named are read whole
 */
public record ShardedGraph(Graph graph, Map<String, WeightShard> shards) {
    public ShardedGraph {
        shards = Map.copyOf(shards);
    }

    /** A graph that is not spread. */
    static ShardedGraph whole(Graph graph) {
        return new ShardedGraph(graph, Map.of());
    }

    /** The weights of the share, from where the whole ones come from. What belongs to other ranks is not read. */
    public WeightSource weights(WeightSource whole) {
        return weights(List.of(this), whole);
    }

    /** The weights of several graphs of one rank, which spread a weight that they share alike. */
    public static WeightSource weights(List<ShardedGraph> graphs, WeightSource whole) {
        Map<String, WeightShard> shards = new HashMap<>();
        graphs.forEach(g -> shards.putAll(g.shards));
        return (name, type) -> {
            WeightShard shard = shards.get(name);
            return shard == null ? whole.weight(name, type) : shard.of(whole.weight(name, shard.whole()), type);
        };
    }
}
