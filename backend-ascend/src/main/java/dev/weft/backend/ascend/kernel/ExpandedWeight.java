package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A weight in checkpoint order whose codes and scales are multiplied out. Exact in BF16 for E4M3 and E2M1 codes, but for blocks so small that
 * BF16 has no number for them.
 */
final class ExpandedWeight extends HostPacking {
    private final DType to;

    /** @param to F32 or BF16 */
    ExpandedWeight(TensorType type, DType to) {
        super("expanded to " + to, type);
        this.to = to;
    }

    @Override
    public long bytes() {
        return to.bytes(type().maxElements());
    }

    @Override
    void convert(Piece piece, MemorySegment target) {
        AclType wide = AclType.of(to);
        float[] codes = codes();
        long first = ((long) piece.matrix() * rows() + piece.first()) * columns();
        for (int r = 0; r < piece.rows(); r++) {
            for (int k = 0; k < columns(); k++) {
                long at = (long) r * columns() + k;
                HostValues.set(target, wide, first + at, value(piece, codes, at) * scale(piece, r, k));
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
