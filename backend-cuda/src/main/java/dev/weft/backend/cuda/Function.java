package dev.weft.backend.cuda;

/** A loaded kernel. */
final class Function {
    private final String name;
    private final long handle;
    private final boolean waits;
    private volatile int sharedBytes;

    /**
     * @param name module and function, for messages
     * @param handle {@code CUfunction}
     * @param waits see {@link #waits}
     */
    Function(String name, long handle, boolean waits) {
        this.name = name;
        this.handle = handle;
        this.waits = waits;
    }

    /** Whether it waits itself for kernels ahead, so that it may be launched before they have ended. */
    boolean waits() {
        return waits;
    }

    long handle() {
        return handle;
    }

    /** Dynamic shared memory that its blocks may have. */
    int sharedBytes() {
        return sharedBytes;
    }

    void sharedBytes(int bytes) {
        sharedBytes = bytes;
    }

    @Override
    public String toString() {
        return name;
    }
}
