package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reads the elements of a weight in checkpoint order as F32: codes times scales. */
final class Decoder {
    private final TensorType type;
    private final long columns;
    private final long scaleColumns;

    /** Values of the codes of a narrow format, none for a wide one. */
    private final float[] codes;

    Decoder(HostPacking weight) {
        this.type = weight.type();
        this.columns = weight.columns();
        this.scaleColumns = weight.scaleColumns();
        DType d = type.dtype();
        this.codes = new float[d.bits() > 8 ? 0 : 1 << d.bits()];
        for (int c = 0; c < codes.length; c++) {
            codes[c] = d.decode(c);
        }
    }

    /** Element of a piece. @param row within the piece */
    float value(HostPacking.Piece piece, int row, int column) {
        return code(piece.data(), row * columns + column) * scale(piece, row, column);
    }

    private float code(MemorySegment data, long index) {
        return switch (type.dtype()) {
            case F32 -> data.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, index);
            case BF16 -> Float.intBitsToFloat(data.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, index) << 16);
            case F4_E2M1 -> codes[data.get(ValueLayout.JAVA_BYTE, index >> 1) >> (int) (index & 1) * 4 & 15];
            default -> codes[Byte.toUnsignedInt(data.get(ValueLayout.JAVA_BYTE, index))];
        };
    }

    private float scale(HostPacking.Piece piece, int row, int column) {
        if (type.scaling().isNone()) {
            return 1;
        }
        long block = row / type.scaling().rows() * scaleColumns
                + column / type.scaling().columns();
        return DType.F8_E8M0.decode(Byte.toUnsignedInt(piece.scales().get(ValueLayout.JAVA_BYTE, block)));
    }
}
