package dev.weft.backend.cuda.kernel;

import java.util.ArrayList;
import java.util.List;

/** Matrix products in one launch of a kernel that takes several, each in blocks of its own. */
final class GemmsTogether {
    private final GroupEmit emit;
    private final String kernel;
    private final List<Part> parts = new ArrayList<>();
    private long blocks;
    private int sharedBytes;

    /** @param kernel its name and its module's */
    GemmsTogether(GroupEmit emit, String kernel) {
        this.emit = emit;
        this.kernel = kernel;
    }

    /**
     * Adds a product.
     *
     * @param grid blocks of its own
     * @param isLarge whether its blocks are the larger of the two kinds that the kernel knows
     */
    void add(int member, TensorCoreGemm.Product product, Grid grid, boolean isLarge, int bytes) {
        long end = blocks + grid.x() * grid.y() * grid.z();
        long[] words = {product.ordinal()};
        parts.add(new Part(member, words, grid.x(), grid.y(), blocks, end, isLarge ? 2 : 1));
        blocks = end;
        sharedBytes = Math.max(sharedBytes, bytes);
    }

    /** Launches what was added; a product by itself as it would run alone, by a kernel that knows its formats only. */
    void launch() {
        if (parts.size() == 1) {
            emit.alone(parts.getFirst().member());
        } else if (blocks > 0) {
            emit.launch(kernel, kernel, Grid.of(blocks), RowsTogether.THREADS, sharedBytes, parts);
        }
    }
}
