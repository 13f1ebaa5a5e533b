package dev.weft.backend.ascend.kernel;

import dev.weft.CheckpointException;
import dev.weft.TensorType;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/**
 * A weight layout made on the host from matrices {@code [N, K]} or {@code [E, N, K]}, in pieces of up to 128 rows of one
 * matrix, which threads share. The target is host memory; the device's owner carries it on.
 */
abstract class HostPacking implements WeightLayout.Packing {
    /** Rows of a piece: those that share an FP8 scale. */
    static final int PIECE_ROWS = 128;

    private static final long LINE = 64;
    private static final int NAN_SCALE = 255;

    private final String kind;
    private final TensorType type;
    private final int matrices;
    private final int rows;
    private final int columns;

    /** @param type of rank 1 (one row), 2 or 3 */
    HostPacking(String kind, TensorType type) {
        this.kind = kind;
        this.type = type;
        long[] dims = type.shape().maximum();
        this.columns = Math.toIntExact(dims[dims.length - 1]);
        this.rows = dims.length < 2 ? 1 : Math.toIntExact(dims[dims.length - 2]);
        this.matrices = dims.length < 3 ? 1 : Math.toIntExact(dims[0]);
    }

    /**
     * Consecutive rows of one matrix.
     *
     * @param matrix number of the matrix
     * @param first first row
     * @param rows number of rows
     * @param data their elements
     * @param scales their scale bytes, for blocks of several rows those of one row of blocks
     */
    record Piece(int matrix, int first, int rows, MemorySegment data, MemorySegment scales) {}

    /** Converts one piece; pieces do not overlap in the target. */
    abstract void convert(Piece piece, MemorySegment target);

    final TensorType type() {
        return type;
    }

    final int matrices() {
        return matrices;
    }

    /** Rows of a matrix. */
    final int rows() {
        return rows;
    }

    final int columns() {
        return columns;
    }

    /** Bytes of one row in the checkpoint. */
    final long rowBytes() {
        return type.dtype().bytes(columns);
    }

    /** Scale bytes of one row of blocks. */
    final long scaleColumns() {
        return type.scaling().isNone()
                ? 0
                : Math.ceilDiv(columns, type.scaling().columns());
    }

    /** {@code bytes} rounded up, so that a tensor can begin after them. */
    static long aligned(long bytes) {
        return Math.ceilDiv(bytes, LINE) * LINE;
    }

    @Override
    public final String id() {
        return "ascend " + kind + " " + type;
    }

    @Override
    public final void pack(WeightData source, long target) {
        MemorySegment out = MemorySegment.ofAddress(target).reinterpret(bytes());
        int perMatrix = Math.ceilDiv(rows, PIECE_ROWS);
        IntStream pieces = IntStream.range(0, Math.multiplyExact(matrices, perMatrix));
        (isShared(source) ? pieces.parallel() : pieces)
                .forEach(i -> convert(source, i / perMatrix, i % perMatrix * PIECE_ROWS, out));
    }

    /** Whether threads other than the caller may read the source. */
    private static boolean isShared(WeightData source) {
        Thread any = Thread.ofPlatform().unstarted(() -> {});
        return source.isInFiles()
                || source.parts().stream()
                        .allMatch(p -> p.data().isAccessibleBy(any) && p.scale().isAccessibleBy(any));
    }

    private void convert(WeightData source, int matrix, int first, MemorySegment target) {
        int count = Math.min(PIECE_ROWS, rows - first);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(count * rowBytes(), LINE);
            source.readData((matrix * (long) rows + first) * rowBytes(), data);
            MemorySegment scales = MemorySegment.NULL;
            if (!type.scaling().isNone()) {
                int high = type.scaling().rows();
                scales = arena.allocate(Math.ceilDiv(count, high) * scaleColumns());
                long row = matrix * (long) Math.ceilDiv(rows, high) + first / high;
                source.readScale(row * scaleColumns(), scales);
                requireNumbers(source, row * scaleColumns(), scales);
            }
            convert(new Piece(matrix, first, count, data, scales), target);
        }
    }

    private static void requireNumbers(WeightData source, long from, MemorySegment scales) {
        for (long i = 0; i < scales.byteSize(); i++) {
            if (Byte.toUnsignedInt(scales.get(ValueLayout.JAVA_BYTE, i)) == NAN_SCALE) {
                throw new CheckpointException("weight " + source.name() + " " + source.type() + ": scale byte "
                        + (from + i) + " is 255 (NaN), expected 0 to 254");
            }
        }
    }
}
