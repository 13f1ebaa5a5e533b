package dev.weft.backend.cpu;

import dev.weft.TensorType;
import dev.weft.op.ExpertGemm;
import dev.weft.op.OpInstance;
import dev.weft.spi.WeightLayout;

/**
 * A weight in units for the pager of the native library: a packed matrix, or some rows of a table.
 *
 * @param unit type of one unit in checkpoint order
 * @param packed whether units are packed on their way
 */
record NativePaging(TensorType unit, boolean packed, long units, long unitBytes, boolean mayGiveWay)
        implements WeightLayout.Paging {
    /** Most rows of a table that are read at once. */
    private static final long MOST_TABLE_ROWS = 64;

    /** A weight of a matrix product, which {@code packing} packs. */
    static NativePaging product(OpInstance op, PanelPacking packing) {
        TensorType matrix = NativeKernels.matrix(op.inputs().get(1));
        return new NativePaging(matrix, true, packing.matrices(), packing.matrixBytes(), op.op() instanceof ExpertGemm);
    }

    /** A table whose rows are gathered: blocks of as many rows as divide it. */
    static NativePaging table(TensorType table) {
        long[] extents = table.shape().maximum();
        long rows = Math.min(MOST_TABLE_ROWS, Long.lowestOneBit(Math.max(1, extents[0])));
        TensorType unit = TensorType.of(table.dtype(), rows, extents[1]);
        return new NativePaging(unit, false, extents[0] / rows, unit.maxDataBytes(), false);
    }
}
