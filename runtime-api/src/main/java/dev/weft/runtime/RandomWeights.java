package dev.weft.runtime;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightSource;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/**
 * Normally distributed weights with deviation {@code 1/sqrt(last extent)}, the same for the same seed and name: for
 * benchmarks, comparisons and tests. Quantised formats get random finite codes and one power-of-two scale.
 *
 * @param seed what to start from
 */
public record RandomWeights(long seed) implements WeightSource {
    @Override
    public WeightData weight(String name, TensorType type) {
        SplittableRandom random = new SplittableRandom(seed * 31 + name.hashCode());
        Arena arena = Arena.ofAuto();
        MemorySegment data =
                arena.allocate(Math.max(1, type.maxDataBytes()), 64).asSlice(0, type.maxDataBytes());
        MemorySegment scale =
                arena.allocate(Math.max(1, type.maxScaleBytes()), 64).asSlice(0, type.maxScaleBytes());
        fill(random, type, data, scale);
        return WeightData.of(name, type, data, scale);
    }

    static void fill(SplittableRandom random, TensorType type, MemorySegment data, MemorySegment scale) {
        double width =
                Math.max(1, type.shape().rank() == 0 ? 1 : type.shape().last().maximum());
        double deviation = 1 / Math.sqrt(width);
        long n = type.maxElements();
        if (!type.dtype().isFloat()) {
            for (long i = 0; i < data.byteSize(); i++) {
                data.set(ValueLayout.JAVA_BYTE, i, (byte) 0);
            }
            return;
        }
        // codes of unit deviation: the scale brings them to the wanted one
        double unit = type.scaling().isNone() ? deviation : 1;
        for (long i = 0; i < n; i++) {
            HostCodec.setCode(type.dtype(), data, i, type.dtype().encode((float) (unit * random.nextGaussian())));
        }
        byte exponent = (byte) DType.F8_E8M0.encode((float) deviation);
        scale.fill(exponent);
    }
}
