package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A weight whose codes and scales are multiplied out. Exact in BF16 for E4M3 and E2M1 codes, but for blocks so small that
 * BF16 has no number for them.
 */
final class ExpandedWeight extends HostPacking {
    private final DType to;
    private final boolean transposed;

    private ExpandedWeight(TensorType type, DType to, boolean transposed) {
        super("expanded to " + to + (transposed ? " [in, out]" : ""), type);
        this.to = to;
        this.transposed = transposed;
    }

    /** In checkpoint order. @param to F32 or BF16 */
    static ExpandedWeight of(TensorType type, DType to) {
        return new ExpandedWeight(type, to, false);
    }

    /** With the columns of each matrix as rows. @param to F32 or BF16 */
    static ExpandedWeight transposed(TensorType type, DType to) {
        return new ExpandedWeight(type, to, true);
    }

    @Override
    public long bytes() {
        return to.bytes(type().maxElements());
    }

    @Override
    void convert(Piece piece, MemorySegment target) {
        AclType wide = AclType.of(to);
        float[] codes = codes();
        long matrix = (long) piece.matrix() * rows() * columns();
        for (int r = 0; r < piece.rows(); r++) {
            long row = piece.first() + r;
            for (int k = 0; k < columns(); k++) {
                float value = value(piece, codes, (long) r * columns() + k) * scale(piece, r, k);
                long at = transposed ? (long) k * rows() + row : row * columns() + k;
                HostValues.set(target, wide, matrix + at, value);
            }
        }
    }

    /** Values of the codes of a narrow format, none for a wide one. */
    private float[] codes() {
        DType d = type().dtype();
        float[] values = new float[d.bits() > 8 ? 0 : 1 << d.bits()];
        for (int c = 0; c < values.length; c++) {
            values[c] = d.decode(c);
        }
        return values;
    }

    private float value(Piece piece, float[] codes, long index) {
        MemorySegment data = piece.data();
        return switch (type().dtype()) {
            case F32 -> data.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, index);
            case BF16 -> Float.intBitsToFloat(data.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, index) << 16);
            case F4_E2M1 -> codes[data.get(ValueLayout.JAVA_BYTE, index >> 1) >> (int) (index & 1) * 4 & 15];
            default -> codes[Byte.toUnsignedInt(data.get(ValueLayout.JAVA_BYTE, index))];
        };
    }

    private float scale(Piece piece, int row, int column) {
        if (type().scaling().isNone()) {
            return 1;
        }
        long block = row / type().scaling().rows() * scaleColumns() + column / type().scaling().columns();
        return DType.F8_E8M0.decode(Byte.toUnsignedInt(piece.scales().get(ValueLayout.JAVA_BYTE, block)));
    }
}
