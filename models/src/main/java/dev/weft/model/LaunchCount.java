package dev.weft.model;

import dev.weft.graph.Node;
import dev.weft.runtime.CompiledGraph;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Launches on the device in one step of a model's backbone.
 *
 * @param layers of every layer
 * @param outside of embedding and output head
 */
public record LaunchCount(List<Integer> layers, int outside) {
    private static final Pattern LAYER = Pattern.compile("layers\\.(\\d+)\\b.*");

    public LaunchCount {
        layers = List.copyOf(layers);
    }

    /**
     * Counts the launches of a graph that {@link V4Graphs#backbone} made.
     *
     * @param layers number of layers
     * @param extents of the step, see {@link V4Graphs#extents}
     * @return empty if the device does not count launches, or if a node runs on the host
     */
    public static Optional<LaunchCount> of(CompiledGraph backbone, int layers, Map<String, Long> extents) {
        List<OptionalInt> launches = backbone.launches(extents);
        int[] perLayer = new int[layers];
        int outside = 0;
        for (Node node : backbone.graph().nodes()) {
            OptionalInt n = launches.get(node.index());
            if (n.isEmpty()) {
                return Optional.empty();
            }
            Matcher layer = LAYER.matcher(node.label());
            if (layer.matches()) {
                perLayer[Integer.parseInt(layer.group(1))] += n.getAsInt();
            } else {
                outside += n.getAsInt();
            }
        }
        return Optional.of(new LaunchCount(IntStream.of(perLayer).boxed().toList(), outside));
    }

    /** Of the whole step. */
    public int total() {
        return outside + layers.stream().mapToInt(Integer::intValue).sum();
    }

    /** Of the layer with the most. */
    public int most() {
        return layers.stream().mapToInt(Integer::intValue).max().orElse(0);
    }
}
