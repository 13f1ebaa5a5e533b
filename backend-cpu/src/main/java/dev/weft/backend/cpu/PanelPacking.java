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

    private final NativeLevel level;
    private final TensorType type;
    private final TensorType matrix;
    private final int matrices;
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
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment words = words(scratch).words();
            this.matrixBytes = align(level.library().packedBytes(level.isa(), words));
            this.id =
                    NativeLevel.text(level.library().packId(level.isa(), words)).orElseThrow() + " " + type;
        }
    }

    private KernelArguments words(Arena arena) {
        return new KernelArguments(List.of(matrix), arena);
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

    /** Threads share the matrices; each holds one matrix in checkpoint order at a time. */
    @Override
    public void pack(WeightData source, long target) {
        MemorySegment packed = HostMemory.segment(target, bytes());
        long dataBytes = matrix.maxDataBytes();
        long scaleBytes = matrix.maxScaleBytes();
        Staging[] staging = new Staging[workers.threads()];
        Workers.Body body = (item, worker) -> {
            if (staging[worker] == null) {
                staging[worker] = new Staging(dataBytes, scaleBytes);
            }
            staging[worker].fill(source, item);
            pack(source, staging[worker], packed.asSlice(item * matrixBytes, matrixBytes));
        };
        try {
            if (isShared(source)) {
                workers.parallelFor(matrices, body);
            } else {
                for (int item = 0; item < matrices; item++) {
                    body.run(item, 0);
                }
            }
        } finally {
            for (Staging s : staging) {
                if (s != null) {
                    s.close();
                }
            }
        }
    }

    /** Whether threads other than the caller may read the source. */
    private static boolean isShared(WeightData source) {
        Thread any = Thread.ofPlatform().unstarted(() -> {});
        return source.parts().stream()
                .allMatch(p -> p.data().isAccessibleBy(any) && p.scale().isAccessibleBy(any));
    }

    private void pack(WeightData source, Staging staging, MemorySegment target) {
        try (Arena scratch = Arena.ofConfined()) {
            KernelArguments words = words(scratch);
            words.bind(0, staging.data.address(), type.scaling().isNone() ? 0 : staging.scale.address());
            if (level.library().pack(level.isa(), words.words(), target) != 0) {
                throw new NativeCallException(
                        "weft_pack on " + level.name() + ": refused weight " + source.name() + " " + type);
            }
        }
    }

    /** One matrix in checkpoint order: native code must not touch a mapped file, which may shrink. */
    private static final class Staging implements AutoCloseable {
        private final MemorySegment data;
        private final MemorySegment scale;

        Staging(long dataBytes, long scaleBytes) {
            data = HostMemory.allocateRaw(dataBytes, LINE);
            scale = HostMemory.allocateRaw(scaleBytes, LINE);
        }

        void fill(WeightData source, int matrix) {
            gather(source, matrix, data, false);
            gather(source, matrix, scale, true);
        }

        /** Copies the bytes of one matrix, which may be a piece of a part or span several. */
        private static void gather(WeightData source, int matrix, MemorySegment to, boolean scales) {
            long from = matrix * to.byteSize();
            for (long done = 0; done < to.byteSize(); ) {
                long partBytes = piece(source, 0, scales).byteSize();
                int part = Math.toIntExact((from + done) / partBytes);
                long at = (from + done) % partBytes;
                long n = Math.min(partBytes - at, to.byteSize() - done);
                source.read(piece(source, part, scales).asSlice(at, n), to.asSlice(done, n));
                done += n;
            }
        }

        private static MemorySegment piece(WeightData source, int part, boolean scales) {
            WeightData.Part p = source.parts().get(part);
            return scales ? p.scale() : p.data();
        }

        @Override
        public void close() {
            HostMemory.freeRaw(data);
            HostMemory.freeRaw(scale);
        }
    }
}
