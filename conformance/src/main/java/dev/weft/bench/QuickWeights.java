package dev.weft.bench;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightSource;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Random weights for measurements, as fast as memory is read: of every format there is one table of normally distributed
 * values, and each matrix is a piece of it that begins elsewhere. Where they lie on the device they are distinct bytes,
 * which is what matters for time; {@link dev.weft.runtime.RandomWeights} is for comparing values.
 *
 * <p>Matrices have deviation {@code 1/sqrt(last extent)}; vectors lie about 1 with deviation 0.1, as norms and scales do.
 * Close frees the tables; the weights must be on the device by then. Used by one thread.
 */
public final class QuickWeights implements WeightSource, AutoCloseable {
    /** Distinct values before a table repeats itself; not a multiple of any row. */
    private static final int PERIOD = (1 << 20) - 3;

    private static final long STEP = 64;
    private static final long SLACK = 1 << 20;
    private static final float VECTOR_DEVIATION = 0.1f;

    private final SplittableRandom random;
    private final Map<Kind, Table> tables = new HashMap<>();

    /** Values of one distribution in one format. */
    private record Kind(DType dtype, float mean, float deviation) {}

    private record Table(Arena arena, MemorySegment bytes) {}

    public QuickWeights(long seed) {
        this.random = new SplittableRandom(seed);
    }

    /** One part per expert, as in checkpoints, so that the table need not be as long as the tensor. */
    @Override
    public WeightData weight(String name, TensorType type) {
        int parts =
                name.contains(".experts.") ? Math.toIntExact(type.shape().dim(0).maximum()) : 1;
        long data = type.maxDataBytes() / parts;
        long scale = type.maxScaleBytes() / parts;
        List<WeightData.Part> pieces = new ArrayList<>(parts);
        for (int i = 0; i < parts; i++) {
            pieces.add(new WeightData.Part(piece(values(type), data), piece(scales(type), scale)));
        }
        return new WeightData(name, type, pieces);
    }

    /** Bytes of values for a tensor, to fill an input or a state with. Valid until the next call or close. */
    public MemorySegment values(TensorType type, long bytes) {
        return piece(values(type), bytes);
    }

    private static Kind values(TensorType type) {
        boolean vector = type.shape().rank() == 1;
        float width =
                type.shape().rank() == 0 ? 1 : Math.max(1, type.shape().last().maximum());
        // codes of unit deviation: the scale brings them to the wanted one
        float deviation = type.scaling().isNone() ? (float) (1 / Math.sqrt(width)) : 1;
        return vector ? new Kind(type.dtype(), 1, VECTOR_DEVIATION) : new Kind(type.dtype(), 0, deviation);
    }

    private static Kind scales(TensorType type) {
        float width = Math.max(1, type.shape().last().maximum());
        return new Kind(DType.F8_E8M0, (float) (1 / Math.sqrt(width)), 0);
    }

    private MemorySegment piece(Kind kind, long bytes) {
        if (bytes == 0) {
            return MemorySegment.NULL;
        }
        Table table = tables.get(kind);
        if (table == null || table.bytes().byteSize() < bytes + SLACK) {
            Table longer = table(kind, bytes + SLACK);
            if (table != null) {
                table.arena().close();
            }
            tables.put(kind, longer);
            table = longer;
        }
        long places = (table.bytes().byteSize() - bytes) / STEP;
        return table.bytes().asSlice(random.nextLong(places) * STEP, bytes);
    }

    @SuppressWarnings("MustBeClosedChecker") // the table owns the arena; replaced and closed tables close it
    private Table table(Kind kind, long bytes) {
        Arena arena = Arena.ofShared();
        MemorySegment all = arena.allocate(bytes, STEP);
        long filled = Math.min(bytes, kind.dtype().bytes(PERIOD + 1L));
        write(kind, all.asSlice(0, filled));
        while (filled < bytes) {
            long n = Math.min(filled, bytes - filled);
            MemorySegment.copy(all, 0, all, filled, n);
            filled += n;
        }
        return new Table(arena, all);
    }

    private void write(Kind kind, MemorySegment to) {
        switch (kind.dtype().bits()) {
            case 32 -> {
                for (long i = 0; i < to.byteSize() / 4; i++) {
                    to.setAtIndex(ValueLayout.JAVA_INT, i, code(kind));
                }
            }
            case 16 -> {
                for (long i = 0; i < to.byteSize() / 2; i++) {
                    to.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) code(kind));
                }
            }
            case 8 -> {
                for (long i = 0; i < to.byteSize(); i++) {
                    to.set(ValueLayout.JAVA_BYTE, i, (byte) code(kind));
                }
            }
            default -> {
                for (long i = 0; i < to.byteSize(); i++) {
                    to.set(ValueLayout.JAVA_BYTE, i, (byte) (code(kind) | code(kind) << 4));
                }
            }
        }
    }

    private int code(Kind kind) {
        if (!kind.dtype().isFloat()) {
            return 0;
        }
        double value = kind.mean() + (kind.deviation() == 0 ? 0 : kind.deviation() * random.nextGaussian());
        return kind.dtype().encode((float) value);
    }

    @Override
    public void close() {
        tables.values().forEach(t -> t.arena().close());
        tables.clear();
    }
}
