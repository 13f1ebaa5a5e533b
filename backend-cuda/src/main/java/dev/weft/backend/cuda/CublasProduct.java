package dev.weft.backend.cuda;

import static dev.weft.backend.cuda.CublasLtConstants.*;

import dev.weft.DType;
import dev.weft.spi.KernelArguments;
import java.util.Optional;

/**
 * What cuBLASLt chooses an algorithm for: {@code y = x * w^T} with these extents, distances and alignments.
 *
 * @param tokens rows of x and y
 * @param outputs rows of w
 * @param inputs columns of x and w
 * @param type {@code cudaDataType_t} of x and w
 * @param outType that of y
 * @param x its rows in memory
 * @param w its rows in memory
 * @param y its rows in memory
 */
record CublasProduct(long tokens, long outputs, long inputs, int type, int outType, Rows x, Rows w, Rows y) {
    /** Columns, and rows of weights, that share a scale. */
    static final long BLOCK = 128;

    /** Bytes, of addresses and of rows, and elements that FP8 products come in multiples of. */
    private static final long UNIT = 16;

    /** Rows of x that products with scales of blocks come in multiples of: those of a block lie one behind another. */
    private static final long TOKENS = 4;

    /** The alignment that the library takes for granted unless it is told of a smaller one. */
    private static final long MOST_ALIGNMENT = 256;

    /**
     * Rows of a matrix in memory.
     *
     * @param pitch elements between their beginnings
     * @param alignment of the first one in bytes, a power of two of at most 256
     */
    record Rows(long pitch, int alignment) {}

    /** The product of a call; empty if an operand has no elements, or its rows do not lie at equal distances. */
    static Optional<CublasProduct> of(KernelArguments a) {
        int result = a.count() - 1;
        if (a.elements(0) == 0 || a.elements(result) == 0 || !isMatrix(a, 0) || !isMatrix(a, result)) {
            return Optional.empty();
        }
        long inputs = a.dim(1, -1);
        long outputs = a.dim(1, 0);
        long tokens = a.elements(0) / inputs;
        return Optional.of(new CublasProduct(
                tokens,
                outputs,
                inputs,
                type(a.dtype(1)),
                type(a.dtype(result)),
                rows(a, 0, tokens),
                rows(a, 1, outputs),
                rows(a, result, tokens)));
    }

    private static int type(DType dtype) {
        return switch (dtype) {
            case F32 -> CUDA_R_32F;
            case BF16 -> CUDA_R_16BF;
            case F8_E4M3 -> CUDA_R_8F_E4M3;
            default -> throw new IllegalArgumentException("no product of cuBLASLt has " + dtype);
        };
    }

    private static boolean isMatrix(KernelArguments a, int i) {
        return a.rank(i) <= 2 || a.pitch(i) == a.elements(i) / a.dim(i, 0);
    }

    private static Rows rows(KernelArguments a, int i, long count) {
        long pitch = a.rank(i) == 2 && count > 1 ? a.pitch(i) : a.dim(i, -1);
        return new Rows(pitch, (int) Long.lowestOneBit(a.address(i) | MOST_ALIGNMENT));
    }

    /** Whether x and w have scales. */
    boolean isScaled() {
        return type == CUDA_R_8F_E4M3;
    }

    /** Why the library's documentation rules it out, empty if it does not. */
    String refusal() {
        if (!isScaled()) {
            return "";
        }
        if (inputs % UNIT != 0 || outputs % UNIT != 0) {
            return "FP8 takes K and N in multiples of 16, found " + inputs + " and " + outputs;
        }
        if (tokens % TOKENS != 0) {
            return "FP8 with scales of blocks takes tokens in multiples of 4, found " + tokens;
        }
        boolean aligned = x.alignment >= UNIT && w.alignment >= UNIT && y.alignment >= UNIT;
        return !aligned || x.pitch % UNIT != 0 || w.pitch % UNIT != 0 || y.pitch % UNIT != 0
                ? "FP8 takes addresses at multiples of 16 bytes and rows at multiples of 16 elements"
                : "";
    }

    /** Blocks of inputs that share a scale. */
    long blocks() {
        return Math.ceilDiv(inputs, BLOCK);
    }

    /** Bytes of the scales of x as the library reads them: F32, those of a block for all tokens one behind another. */
    long tokenScaleBytes() {
        return isScaled() ? Float.BYTES * blocks() * tokens : 0;
    }

    /** The same of w: for 128 rows those of all blocks one behind another, their number filled up to a multiple of 4. */
    long weightScaleBytes() {
        return isScaled() ? Float.BYTES * Math.ceilDiv(blocks(), 4) * 4 * Math.ceilDiv(outputs, BLOCK) : 0;
    }

    @Override
    public String toString() {
        return "[" + tokens + ", " + inputs + "] x [" + outputs + ", " + inputs + "]";
    }
}
