package dev.weft.graph;

import dev.weft.TensorType;

/**
 * A named edge of a graph: something fed, loaded, kept or computed. Identity is per graph.
 *
 * @param id index in the graph
 * @param name unique name in the graph
 * @param kind where it comes from
 * @param type its type; only the first axis may be named
 * @param root id of the value whose storage this one shares, or its own id
 */
public record Value(int id, String name, Kind kind, TensorType type, int root) {
    /** Origins of values. */
    public enum Kind {
        /** Fed by the caller at each run. */
        INPUT,
        /** Loaded once. */
        WEIGHT,
        /** Kept between runs, updated in place by nodes. */
        STATE,
        /** Result of a node. */
        RESULT,
        /** Version of a state after a node updated it in place. */
        UPDATE,
        /** Another shape of an input or result, without a copy. */
        VIEW
    }

    /** Whether this is a state or an updated version of one. */
    public boolean isState() {
        return kind == Kind.STATE || kind == Kind.UPDATE;
    }

    @Override
    public String toString() {
        return name + " " + type;
    }
}
