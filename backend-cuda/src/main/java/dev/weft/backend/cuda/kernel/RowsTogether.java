package dev.weft.backend.cuda.kernel;

import dev.weft.spi.KernelArguments;
import dev.weft.spi.NodeGroup;
import java.util.ArrayList;
import java.util.List;

/**
 * Operators that work row by row, in one launch of {@code rows_together}: chains side by side, each in blocks of its own, where
 * every block takes some rows through the whole chain.
 */
final class RowsTogether {
    static final int THREADS = 256;

    /** Rows of a block where a row is not wider than {@link #NARROW}, else 1. */
    private static final long ROWS = 8;

    private static final long NARROW = 1024;

    private final List<Part> parts = new ArrayList<>();
    private final GroupEmit emit;
    private long blocks;
    private int sharedBytes;

    RowsTogether(GroupEmit emit) {
        this.emit = emit;
    }

    /** Rows of a block for a chain that begins with such an operand 0. */
    static long height(KernelArguments first) {
        return first.dim(0, -1) > NARROW ? 1 : ROWS;
    }

    /** Begins a chain of {@code rows} rows; its parts are added by {@link Chain#then}. */
    Chain chain(long rows, long height) {
        return chain(rows, height, Math.ceilDiv(rows, height));
    }

    /** Begins a chain of which one block computes all rows, even if there are none. */
    Chain inOneBlock(long rows) {
        return chain(rows, Math.max(1, rows), 1);
    }

    /**
     * Adds the choices of rows and the distribution of the same rows, in blocks that wait for one another: what one block has no
     * time for and yet is no launch of its own.
     */
    void route(int gate, int dispatch, long rows) {
        chain(rows, 1, 2 * rows).then(gate, RowPart.ROUTE);
        chain(rows, 1, 0).then(dispatch, RowPart.DISPATCH);
    }

    private Chain chain(long rows, long height, long count) {
        Chain chain = new Chain(rows, height, blocks, blocks + count);
        blocks = chain.end;
        return chain;
    }

    /** Parts of the same rows, one after another. */
    final class Chain {
        private final long rows;
        private final long height;
        private final long first;
        private final long end;

        private Chain(long rows, long height, long first, long end) {
            this.rows = rows;
            this.height = height;
            this.first = first;
            this.end = end;
        }

        Chain then(int member, RowPart kind) {
            return then(member, kind, kind.words(emit.member(member).op()));
        }

        Chain then(int member, RowPart kind, long... words) {
            Emit e = emit.member(member);
            parts.add(new Part(member, words, rows, height, first, end, kind.ordinal()));
            sharedBytes = Math.max(sharedBytes, kind.sharedBytes(e.op(), e.arguments()));
            return this;
        }
    }

    void launch() {
        if (blocks > 0) {
            emit.launch("rows_together", "rows_together", Grid.of(blocks), THREADS, sharedBytes, parts);
        }
    }

    /** Members that hand results to one another, in the order of the group; each list is a chain of its own. */
    static List<List<Integer>> chains(NodeGroup group) {
        List<List<Integer>> chains = new ArrayList<>();
        for (int m = 0; m < group.members().size(); m++) {
            List<Integer> joined = new ArrayList<>();
            for (List<Integer> chain : List.copyOf(chains)) {
                if (reads(group, m, chain)) {
                    joined.addAll(chain);
                    chains.remove(chain);
                }
            }
            joined.add(m);
            chains.add(joined);
        }
        return chains;
    }

    private static boolean reads(NodeGroup group, int m, List<Integer> chain) {
        NodeGroup.Member reader = group.members().get(m);
        List<Integer> operands =
                reader.values().subList(0, reader.instance().inputs().size());
        return chain.stream()
                .map(group.members()::get)
                .flatMap(w -> w.values().stream().skip(w.instance().inputs().size()))
                .map(group.roots()::get)
                .anyMatch(made -> operands.stream().map(group.roots()::get).anyMatch(made::equals));
    }
}
