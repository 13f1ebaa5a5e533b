package dev.weft.parallel;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.spi.WeightData;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** The part of a weight that a rank holds. */
sealed interface WeightShard {
    /** Type of the whole weight. */
    TensorType whole();

    /** The part, of type {@code type}. */
    WeightData of(WeightData all, TensorType type);

    /** Some indices of the first axis of a weight in one part per index: experts. */
    record Experts(TensorType whole, List<Integer> held) implements WeightShard {
        @Override
        public WeightData of(WeightData all, TensorType type) {
            return new WeightData(
                    all.name(), type, held.stream().map(all.parts()::get).toList());
        }
    }

    /** Share {@code index} of {@code shares} equal ones along the first axis of a weight in one part. */
    record Rows(TensorType whole, int index, int shares) implements WeightShard {
        @Override
        public WeightData of(WeightData all, TensorType type) {
            WeightData.Part part = all.parts().getFirst();
            MemorySegment data = slice(part.data());
            MemorySegment scale = slice(part.scale());
            WeightData.Origin origin = part.origin();
            WeightData.Origin moved = origin == null
                    ? null
                    : new WeightData.Origin(
                            moved(origin.data(), data.byteSize()),
                            origin.scale() == null ? null : moved(origin.scale(), scale.byteSize()));
            return new WeightData(all.name(), type, List.of(new WeightData.Part(data, scale, moved)));
        }

        private MemorySegment slice(MemorySegment of) {
            long share = of.byteSize() / shares;
            return of.asSlice(index * share, share);
        }

        private WeightData.Stored moved(WeightData.Stored stored, long share) {
            return new WeightData.Stored(stored.tensor(), stored.file(), stored.offset() + index * share);
        }
    }

    /** Share {@code index} of {@code shares} equal ones along the last axis of an unscaled matrix, gathered in memory. */
    record Columns(TensorType whole, int index, int shares) implements WeightShard {
        @Override
        public WeightData of(WeightData all, TensorType type) {
            DType dtype = type.dtype();
            long rows = type.shape().dim(0).maximum();
            long share = dtype.bytes(type.shape().last().maximum());
            MemorySegment out = Arena.ofAuto().allocate(rows * share, 64);
            for (long i = 0; i < rows; i++) {
                all.readData((i * shares + index) * share, out.asSlice(i * share, share));
            }
            return WeightData.of(all.name(), type, out, MemorySegment.NULL);
        }
    }
}
