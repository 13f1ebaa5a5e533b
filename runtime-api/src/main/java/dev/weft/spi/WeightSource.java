package dev.weft.spi;

import dev.weft.TensorType;

/** Where a graph's weights come from: a checkpoint, random numbers, a test. */
public interface WeightSource {
    /**
     * The weight called {@code name} in the graph, of exactly the type given.
     *
     * @throws dev.weft.CheckpointException if there is none or its type differs
     */
    WeightData weight(String name, TensorType type);
}
