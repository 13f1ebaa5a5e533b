package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * FP8 codes in checkpoint order, followed by their 128 x 128 scales widened to F32: the operands of
 * {@code aclnnQuantMatmulV5} and {@code aclnnGroupedMatmulV5} in their G-B mode with a transposed weight. Source: ops-nn
 * docs aclnnQuantMatmulV5, ops-transformer docs aclnnGroupedMatmulV5.
 */
final class BlockScaledWeight extends HostPacking {
    private final long scalesAt;

    BlockScaledWeight(TensorType type) {
        super("FP8 codes with F32 scales", type);
        if (!type.scaling().equals(Scaling.FP8_BLOCK_128)) {
            throw new dev.weft.DTypeException("weight " + type + ": expected 128 x 128 scales");
        }
        this.scalesAt = aligned(type.maxDataBytes());
    }

    /** Codes of a matrix {@code [N, K]} at {@code address}. */
    Ten codes(long address) {
        return Ten.dense(address, AclType.FLOAT8_E4M3FN, rows(), columns());
    }

    /** Codes of all matrices {@code [E, N, K]}. */
    Ten allCodes(long address) {
        return Ten.dense(address, AclType.FLOAT8_E4M3FN, matrices(), rows(), columns());
    }

    /** Scales {@code [E, ceil(N/128), ceil(K/128)]}. */
    Ten allScales(long address) {
        return Ten.dense(address + scalesAt, AclType.FLOAT, matrices(), Math.ceilDiv(rows(), 128), scaleColumns());
    }

    /** Scales of the only matrix. */
    Ten scales(long address) {
        Ten all = allScales(address);
        return all.view(all.dim(1), all.dim(2));
    }

    @Override
    public long bytes() {
        return scalesAt + type().maxScaleBytes() * Float.BYTES;
    }

    @Override
    void convert(Piece piece, MemorySegment target) {
        long row = (long) piece.matrix() * rows() + piece.first();
        MemorySegment.copy(piece.data(), 0, target, row * rowBytes(), piece.data().byteSize());
        long block = ((long) piece.matrix() * Math.ceilDiv(rows(), 128) + piece.first() / 128) * scaleColumns();
        for (long i = 0; i < piece.scales().byteSize(); i++) {
            int code = Byte.toUnsignedInt(piece.scales().get(ValueLayout.JAVA_BYTE, i));
            target.set(
                    ValueLayout.JAVA_FLOAT_UNALIGNED,
                    scalesAt + (block + i) * Float.BYTES,
                    DType.F8_E8M0.decode(code));
        }
    }
}
