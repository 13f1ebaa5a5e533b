package dev.weft.benchmarks.llama;

/** Tensor formats of a GGUF file, as numbered in ggml's public header. */
enum GgmlType {
    F32(0, 1, 4),
    /** Blocks of 32: an F16 scale, then 32 signed bytes. */
    Q8_0(8, 32, 34),
    I32(26, 1, 4),
    BF16(30, 1, 2),
    /** Blocks of 32: an E8M0 scale byte, then 16 bytes with elements 0..15 in the low nibbles and 16..31 in the high. */
    MXFP4(39, 32, 17);

    private final int code;
    private final int blockElements;
    private final int blockBytes;

    GgmlType(int code, int blockElements, int blockBytes) {
        this.code = code;
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
    }

    int code() {
        return code;
    }

    int blockElements() {
        return blockElements;
    }

    int blockBytes() {
        return blockBytes;
    }

    long bytes(long elements) {
        if (elements % blockElements != 0) {
            throw new IllegalArgumentException(
                    this + ": found " + elements + " elements, expected whole blocks of " + blockElements);
        }
        return elements / blockElements * blockBytes;
    }
}
