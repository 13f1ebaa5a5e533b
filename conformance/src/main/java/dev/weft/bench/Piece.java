package dev.weft.bench;

import dev.weft.graph.Graph;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import java.util.SplittableRandom;

/** Some nodes of a layer, several times in one graph, each time with weights or states of its own that no cache holds. */
interface Piece {
    /** No cache of a device holds them. */
    double BEYOND_CACHES = 200e6;

    /** As many as pieces of half a megabyte and more need. */
    int MOST_COPIES = 400;

    /** Copies of what is none of a model of true size, and stays in a cache whatever is done. */
    int COPIES_OF_SMALL = 64;

    /** Times in a round. */
    int copies();

    /** What one copy has to do. Values that the node ahead of it has just written come from a cache, as they do in a model. */
    Work work();

    /** Whether what it reads comes from memory, so that its time can be held against that. */
    default boolean fromMemory() {
        return true;
    }

    /** Whether nodes may be joined in a launch, as they are in a model. */
    default boolean isFused() {
        return true;
    }

    /** All copies one after another. */
    Graph graph();

    /** Fills inputs and states. */
    void fill(Execution execution, StateStore states, QuickWeights values, SplittableRandom random);

    /**
     * Copies that no cache holds together, and enough of them that the beginning and the end of a measurement do not count.
     *
     * @param bytes of one copy
     * @param least of a copy that no cache holds
     */
    static int copies(double bytes, int least) {
        double beyond = Math.ceil(BEYOND_CACHES / Math.max(1, bytes));
        if (beyond <= least) {
            return least;
        }
        return beyond > MOST_COPIES ? COPIES_OF_SMALL : (int) Math.max(beyond, 16);
    }
}
