package dev.weft.op;

import dev.weft.ShapeException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Which rank holds which experts. Every rank holds equally many; an expert may have replicas on several ranks, of which
 * each sender uses one, always the same, so that no message is needed to agree on it.
 *
 * @param experts number of experts
 * @param ranks per rank the experts it holds, ascending
 */
public record ExpertTable(int experts, List<List<Integer>> ranks) {
    /**
     * @throws ShapeException if a rank holds more experts than another, one twice, in descending order or outside
     *     {@code [0, experts)}, or if nobody holds an expert
     */
    public ExpertTable {
        ranks = ranks.stream().map(List::copyOf).toList();
        boolean[] held = new boolean[experts];
        for (int r = 0; r < ranks.size(); r++) {
            List<Integer> mine = ranks.get(r);
            if (mine.size() != ranks.getFirst().size()) {
                throw new ShapeException("expert table: rank " + r + " holds " + mine.size() + " experts, expected "
                        + ranks.getFirst().size() + " like rank 0");
            }
            int last = -1;
            for (int e : mine) {
                if (e <= last || e >= experts) {
                    throw new ShapeException("expert table: rank " + r + " holds " + mine
                            + ", expected different experts below " + experts + " in ascending order");
                }
                held[e] = true;
                last = e;
            }
        }
        for (int e = 0; e < experts; e++) {
            if (!held[e]) {
                throw new ShapeException("expert table: no rank holds expert " + e + ", expected one or more");
            }
        }
    }

    /**
     * Expert e on rank {@code e / (experts / ranks)}.
     *
     * @throws ShapeException if the experts cannot be shared out equally
     */
    public static ExpertTable contiguous(int experts, int ranks) {
        if (ranks < 1 || experts % ranks != 0) {
            throw new ShapeException("expert table: " + experts + " experts on " + ranks
                    + " ranks: expected a number of ranks that divides the experts");
        }
        int each = experts / ranks;
        return new ExpertTable(
                experts,
                IntStream.range(0, ranks)
                        .mapToObj(r -> IntStream.range(r * each, (r + 1) * each)
                                .boxed()
                                .toList())
                        .toList());
    }

    /** Number of ranks. */
    public int size() {
        return ranks.size();
    }

    /** Experts that each rank holds. */
    public int slots() {
        return ranks.getFirst().size();
    }

    /** The rank to which {@code sender} sends rows of an expert. */
    public int rankOf(int expert, int sender) {
        List<Integer> holders = new ArrayList<>();
        for (int r = 0; r < ranks.size(); r++) {
            if (ranks.get(r).contains(expert)) {
                holders.add(r);
            }
        }
        return holders.get(sender % holders.size());
    }

    @Override
    public String toString() {
        return equals(contiguousIfPossible()) ? "contiguous" : ranks.toString();
    }

    private Object contiguousIfPossible() {
        return experts % size() == 0 ? contiguous(experts, size()) : ranks;
    }
}
