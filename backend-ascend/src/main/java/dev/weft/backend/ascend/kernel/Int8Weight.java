package dev.weft.backend.ascend.kernel;

import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Expert weights {@code [E, N, K]} quantised anew to INT8 with one scale per row: codes {@code [E, K, N]}, then BF16 scales
 * {@code [E, N]}, which are rounded up so that every code fits. Loses what a row's scale is too coarse for. Source of the
 * layout: ops-transformer docs aclnnGroupedMatmulV5, A8W8.
 */
final class Int8Weight extends HostPacking {
    private static final int LARGEST = 127;

    private final long scalesAt;

    Int8Weight(TensorType type) {
        super("INT8 by row", type);
        this.scalesAt = aligned((long) matrices() * rows() * columns());
    }

    /** The codes at {@code address}: {@code [E, K, N]}. */
    Ten codes(long address) {
        return Ten.dense(address, AclType.INT8, matrices(), columns(), rows());
    }

    /** The scales: {@code [E, N]}. */
    Ten scales(long address) {
        return Ten.dense(address + scalesAt, AclType.BF16, matrices(), rows());
    }

    @Override
    public long bytes() {
        return scalesAt + 2L * matrices() * rows();
    }

    @Override
    void convert(Piece piece, MemorySegment target) {
        Decoder decoder = new Decoder(this);
        float[] scales = new float[piece.rows()];
        for (int r = 0; r < piece.rows(); r++) {
            float largest = 0;
            for (int k = 0; k < columns(); k++) {
                largest = Math.max(largest, Math.abs(decoder.value(piece, r, k)));
            }
            short bits = roundedUp(largest / LARGEST);
            scales[r] = Float.intBitsToFloat(bits << 16);
            long at = (long) piece.matrix() * rows() + piece.first() + r;
            target.set(ValueLayout.JAVA_SHORT_UNALIGNED, scalesAt + 2 * at, bits);
        }
        long matrix = (long) piece.matrix() * rows() * columns();
        for (int k = 0; k < columns(); k++) {
            for (int r = 0; r < piece.rows(); r++) {
                int code = scales[r] == 0 ? 0 : (int) Math.rint(decoder.value(piece, r, k) / scales[r]);
                target.set(ValueLayout.JAVA_BYTE, matrix + (long) k * rows() + piece.first() + r, (byte) code);
            }
        }
    }

    /** Bits of the smallest BF16 number that is not less than {@code x}, which is not negative. */
    private static short roundedUp(float x) {
        return (short) (Float.floatToRawIntBits(x) + 0xFFFF >>> 16);
    }
}
