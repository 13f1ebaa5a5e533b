package dev.weft.backend.cuda;

/** A loaded kernel. */
final class Function {
    private final String name;
    private final long handle;
    private final boolean waits;
    private final int staticBytes;
    private volatile int sharedBytes;

    /**
     * @param name module and function, for messages
     * @param handle {@code CUfunction}
     * @param waits see {@link #waits}
     * @param staticBytes see {@link #staticBytes}
     */
    Function(String name, long handle, boolean waits, int staticBytes) {
        this.name = name;
        this.handle = handle;
        this.waits = waits;
        this.staticBytes = staticBytes;
    }

    /** Whether it waits itself for kernels ahead, so that it may be launched before they have ended. */
    boolean waits() {
        return waits;
    }

    long handle() {
        return handle;
    }

    /** Shared memory of a block that it declares itself. */
    int staticBytes() {
        return staticBytes;
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
