package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import java.lang.foreign.MemorySegment;

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
        Decoder decoder = new Decoder(this);
        long first = ((long) piece.matrix() * rows() + piece.first()) * columns();
        for (int r = 0; r < piece.rows(); r++) {
            for (int k = 0; k < columns(); k++) {
                HostValues.set(target, wide, first + (long) r * columns() + k, decoder.value(piece, r, k));
            }
        }
    }
}
