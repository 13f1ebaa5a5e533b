package dev.weft.backend.cuda;

/** A loaded kernel. */
final class Function {
    private final String name;
    private final long handle;
    private volatile int sharedBytes;

    /**
     * @param name module and function, for messages
     * @param handle {@code CUfunction}
     */
    Function(String name, long handle) {
        this.name = name;
        this.handle = handle;
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
