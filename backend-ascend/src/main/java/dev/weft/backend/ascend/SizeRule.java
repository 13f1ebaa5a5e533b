package dev.weft.backend.ascend;

/**
 * What a piece of device memory must measure: operators may read up to 32 bytes beyond a tensor's end, so
 * {@code aclrtMalloc} rounds up, and whoever cuts pieces out of one block must do the same (runtime documentation of
 * {@code aclrtMalloc}).
 */
enum SizeRule {
    /** A multiple of 32 bytes (Ascend 950). */
    ROUNDED(0),
    /** A multiple of 32 bytes and 32 more (Atlas A2 and A3). */
    ROUNDED_WITH_TAIL(32);

    /** Alignment of the start of every piece. */
    static final long ALIGNMENT = 64;

    private static final long UNIT = 32;

    private final long tail;

    SizeRule(long tail) {
        this.tail = tail;
    }

    /** The rule of a product by the name of its chip. */
    static SizeRule of(String socName) {
        return socName.startsWith("Ascend950") ? ROUNDED : ROUNDED_WITH_TAIL;
    }

    /** Bytes a piece of {@code bytes} occupies. */
    long sizeOf(long bytes) {
        return Math.addExact(bytes, UNIT - 1) / UNIT * UNIT + tail;
    }

    /** As {@link #sizeOf}, rounded up so that another piece can follow. */
    long strideOf(long bytes) {
        return (sizeOf(bytes) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}
