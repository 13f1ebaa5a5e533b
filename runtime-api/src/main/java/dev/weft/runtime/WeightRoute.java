package dev.weft.runtime;

/** When weights come from their files to the device. */
public enum WeightRoute {
    /** {@link #PACKED} if the device's free memory holds the weights, else {@link #FILE}. */
    AUTO,

    /** All at load, in the order that kernels read fastest. */
    PACKED,

    /**
     * Each when a kernel first needs it. Experts share the memory that is left, and the least recently used ones give
     * way. Loading reads next to nothing; results have the same bits.
     */
    FILE
}
