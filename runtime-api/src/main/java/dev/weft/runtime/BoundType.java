package dev.weft.runtime;

import dev.weft.TensorType;
import org.jspecify.annotations.Nullable;

/** A type with dimensions as bound, worked out anew only after one of them has changed: steps mostly repeat. */
final class BoundType {
    private final TensorType declared;
    private final Extents extents;
    private @Nullable TensorType type;
    private int version;
    private long dataBytes;
    private long scaleBytes;

    BoundType(TensorType declared, Extents extents) {
        this.declared = declared;
        this.extents = extents;
    }

    /** The type now. @throws dev.weft.GraphException if a dimension is not bound */
    TensorType type() {
        if (type == null || version != extents.version()) {
            TensorType now = declared.bind(extents::at);
            dataBytes = now.maxDataBytes();
            scaleBytes = now.maxScaleBytes();
            version = extents.version();
            type = now;
        }
        return type;
    }

    /** Bytes of the elements now. */
    long dataBytes() {
        type();
        return dataBytes;
    }

    /** Bytes of the scales now. */
    long scaleBytes() {
        type();
        return scaleBytes;
    }
}
