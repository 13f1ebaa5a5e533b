package dev.weft.backend.cuda.kernel;

/** Work that another library puts on a stream. */
public interface StreamCall {
    /** Puts it on the stream, which may be one that records; on the device's thread. @param stream {@code CUstream} */
    void enqueue(long stream);
}
