package dev.weft.spi;

import dev.weft.TensorType;
import dev.weft.op.OpInstance;
import java.util.List;
import java.util.Set;

/**
 * Nodes of a graph that one kernel might compute, see {@link Fusing}.
 *
 * @param members in an order in which they can be computed one after another
 * @param values what the members read and write, each once
 * @param roots for every value the index of the value in whose memory it lies: its own, or that of another of the group
 *     which it is a further shape or a later version of
 * @param inner values that nobody reads but the members
 */
public record NodeGroup(List<Member> members, List<TensorType> values, List<Integer> roots, Set<Integer> inner) {
    public NodeGroup {
        members = List.copyOf(members);
        values = List.copyOf(values);
        roots = List.copyOf(roots);
        inner = Set.copyOf(inner);
    }

    /**
     * A node.
     *
     * @param instance its operator
     * @param values which of the group's values its operands are, and then its results
     */
    public record Member(OpInstance instance, List<Integer> values) {
        public Member {
            values = List.copyOf(values);
        }

        /** Which of the group's values is result {@code i}. */
        public int result(int i) {
            return values.get(instance.inputs().size() + i);
        }
    }
}
