package dev.weft.backend.cpu;

import dev.weft.NativeCallException;
import dev.weft.TensorType;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Packs a weight {@code [N, K]} or {@code [E, N, K]}, matrix after matrix, in the order of a native level. */
final class PanelPacking implements WeightLayout.Packing {
    /** Packed matrices start at cache lines. */
    private static final long LINE = 64;

    /** Rows of a panel: pieces are whole panels. */
    private static final long PANEL_ROWS = 16;

    /** Rows that share an FP8 scale. */
    private static final long MOST_PIECE_ROWS = 128;

    private static final long PIECE_BYTES = 256 << 10;

    private final NativeLevel level;
    private final TensorType type;
    private final TensorType matrix;
    private final int matrices;
    private final long rows;
    private final long columns;
    private final long rowBytes;
    private final long pieceRows;
    private final long panelBytes;
    private final long matrixBytes;
    private final String id;
    private final Workers workers;

    PanelPacking(NativeLevel level, TensorType type, Workers workers) {
        this.level = level;
        this.type = type;
        this.matrix = NativeKernels.matrix(type);
        this.matrices = type.shape().rank() == 2
                ? 1
                : Math.toIntExact(type.shape().dim(0).maximum());
        this.workers = workers;
        this.rows = matrix.shape().dim(0).maximum();
        this.columns = matrix.shape().dim(1).maximum();
        this.rowBytes = type.dtype().bytes(columns);
        // in half of a second-level cache; a power of two, so that no piece straddles the rows of a scale
        long fitting = Math.max(1, PIECE_BYTES / Math.max(1, rowBytes));
        this.pieceRows = Math.clamp(Long.highestOneBit(fitting), PANEL_ROWS, MOST_PIECE_ROWS);
        this.panelBytes = packedBytes(Math.min(rows, PANEL_ROWS));
        this.matrixBytes = align(packedBytes(rows));
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment words = new KernelArguments(List.of(matrix), scratch).words();
            this.id =
                    NativeLevel.text(level.library().packId(level.isa(), words)).orElseThrow() + " " + type;
        }
    }

    /** Packed size of the first {@code count} rows of a matrix. */
    private long packedBytes(long count) {
        try (Arena scratch = Arena.ofConfined()) {
            KernelArguments words = new KernelArguments(List.of(matrix), scratch);
            words.extents(0, count, columns);
            return level.library().packedBytes(level.isa(), words.words());
        }
    }

    /** Scale bytes in front of those of row {@code row}. */
    private long scaleOffset(long row) {
        return type.scaling().isNone()
                ? 0
                : row
                        / type.scaling().rows()
                        * Math.ceilDiv(columns, (long) type.scaling().columns());
    }

    /** Scale bytes of the rows from {@code first} on, which all lie in one row of scales or begin one. */
    private long scaleBytes(long first, long count) {
        int perScale = Math.max(1, type.scaling().rows());
        return scaleOffset(Math.ceilDiv(first + count, (long) perScale) * perScale) - scaleOffset(first);
    }

    private static long align(long bytes) {
        return Math.ceilDiv(bytes, LINE) * LINE;
    }

    @Override
    public String id() {
        return id;
    }

    @Override
    public long bytes() {
        return matrixBytes * matrices;
    }

    /** Number of matrices. */
    int matrices() {
        return matrices;
    }

    /** Bytes of one packed matrix. */
    long matrixBytes() {
        return matrixBytes;
    }

    /** Threads share the weight in pieces of some rows; each holds one piece in checkpoint order at a time. */
    @Override
    public void pack(WeightData source, long target) {
        MemorySegment packed = HostMemory.segment(target, bytes());
        int perMatrix = Math.toIntExact(Math.ceilDiv(rows, pieceRows));
        Piece[] pieces = new Piece[workers.threads()];
        try (Arena arena = Arena.ofShared()) {
            Workers.Body body = (item, worker) -> {
                if (pieces[worker] == null) {
                    pieces[worker] = new Piece(source, arena);
                }
                pieces[worker].pack(item / perMatrix, item % perMatrix * pieceRows, packed);
            };
            int items = Math.multiplyExact(matrices, perMatrix);
            if (isShared(source)) {
                workers.parallelFor(items, body);
            } else {
                for (int item = 0; item < items; item++) {
                    body.run(item, 0);
                }
            }
        }
    }

    /** Whether threads other than the caller may read the source. */
    private static boolean isShared(WeightData source) {
        Thread any = Thread.ofPlatform().unstarted(() -> {});
        return source.isInFiles()
                || source.parts().stream()
                        .allMatch(p -> p.data().isAccessibleBy(any) && p.scale().isAccessibleBy(any));
    }

    /** Rows of a matrix in checkpoint order: native code must not touch a mapped file, which may shrink. */
    private final class Piece {
        private final WeightData source;
        private final KernelArguments words;
        private final MemorySegment data;
        private final MemorySegment scale;

        Piece(WeightData source, Arena arena) {
            this.source = source;
            this.words = new KernelArguments(List.of(matrix), arena);
            this.data = arena.allocate(pieceRows * rowBytes, LINE);
            this.scale = arena.allocate(scaleBytes(0, pieceRows), LINE);
            words.bind(0, data.address(), type.scaling().isNone() ? 0 : scale.address());
        }

        /** Packs the rows of matrix {@code index} from {@code first} on. */
        void pack(int index, long first, MemorySegment packed) {
            long count = Math.min(pieceRows, rows - first);
            long dataAt = index * matrix.maxDataBytes() + first * rowBytes;
            source.readData(dataAt, data.asSlice(0, count * rowBytes));
            long scaleAt = index * matrix.maxScaleBytes() + scaleOffset(first);
            source.readScale(scaleAt, scale.asSlice(0, scaleBytes(first, count)));
            words.extents(0, count, columns);
            MemorySegment target = packed.asSlice(index * matrixBytes + first / PANEL_ROWS * panelBytes);
            if (level.library().pack(level.isa(), words.words(), target) != 0) {
                throw new NativeCallException(
                        "weft_pack on " + level.name() + ": refused weight " + source.name() + " " + type);
            }
        }
    }
}
