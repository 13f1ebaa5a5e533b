package dev.weft.model;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.io.Checkpoint;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightSource;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * The weights of a published checkpoint under the names of the graphs: most are the same; experts are stacked, and the
 * grouped output projection is seen as one matrix per group.
 */
final class V4Weights implements WeightSource {
    private static final Pattern EXPERTS = Pattern.compile("(.+\\.ffn\\.experts)\\.(w[123]\\.weight)");
    private static final String GROUPED = ".attn.wo_a.weight";

    private final Checkpoint checkpoint;

    V4Weights(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
    }

    @Override
    public WeightData weight(String name, TensorType type) {
        Matcher experts = EXPERTS.matcher(name);
        if (experts.matches()) {
            int count = (int) type.shape().dim(0).maximum();
            List<String> names = IntStream.range(0, count)
                    .mapToObj(e -> experts.group(1) + "." + e + "." + experts.group(2))
                    .toList();
            return checkpoint.stacked(name, type, names);
        }
        return name.endsWith(GROUPED) ? grouped(name, type) : checkpoint.weight(name, type);
    }

    /** Stored as {@code [groups*rank, width]} FP8; wanted as {@code [groups, rank, width]} FP8 or BF16. */
    private WeightData grouped(String name, TensorType type) {
        long[] d = type.shape().maximum();
        TensorType stored = new TensorType(DType.F8_E4M3, Shape.of(d[0] * d[1], d[2]), Scaling.FP8_BLOCK_128);
        WeightData flat = checkpoint.weight(name, stored);
        return type.dtype() == DType.F8_E4M3
                ? new WeightData(name, type, flat.parts())
                : WeightData.of(name, type, widen(flat, d[0] * d[1], d[2]), MemorySegment.NULL);
    }

    /** Four significant bits times a power of two are exact in BF16. */
    private static MemorySegment widen(WeightData flat, long rows, long columns) {
        WeightData.Part part = flat.parts().getFirst();
        Arena arena = Arena.ofAuto();
        MemorySegment codes = arena.allocate(part.data().byteSize());
        MemorySegment scales = arena.allocate(part.scale().byteSize());
        flat.readData(part, 0, codes);
        flat.readScale(part, 0, scales);
        MemorySegment out = arena.allocate(2 * rows * columns, 64);
        long scaleColumns = Math.ceilDiv(columns, 128L);
        for (long i = 0; i < rows; i++) {
            for (long j = 0; j < columns; j++) {
                float scale = DType.F8_E8M0.decode(scales.get(ValueLayout.JAVA_BYTE, i / 128 * scaleColumns + j / 128));
                float value = DType.F8_E4M3.decode(codes.get(ValueLayout.JAVA_BYTE, i * columns + j)) * scale;
                out.set(ValueLayout.JAVA_SHORT, 2 * (i * columns + j), (short) DType.BF16.encode(value));
            }
        }
        return out;
    }
}
