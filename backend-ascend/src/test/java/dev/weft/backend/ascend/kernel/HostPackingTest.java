package dev.weft.backend.ascend.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CheckpointException;
import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.spi.WeightData;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HostPackingTest {
    private static final TensorType FP8 =
            TensorType.of(DType.F8_E4M3, 2, 130, 160).scaled(Scaling.FP8_BLOCK_128);
    private static final TensorType FP4 = TensorType.of(DType.F4_E2M1, 3, 33, 128).scaled(Scaling.MXFP4);

    private final Arena arena = Arena.ofShared();

    @AfterEach
    void free() {
        arena.close();
    }

    private MemorySegment random(long bytes, int low, int high) {
        MemorySegment s = arena.allocate(bytes);
        SplittableRandom r = new SplittableRandom(bytes);
        for (long i = 0; i < bytes; i++) {
            s.set(ValueLayout.JAVA_BYTE, i, (byte) r.nextInt(low, high));
        }
        return s;
    }

    /** One part per matrix, as experts lie in checkpoints. */
    private WeightData weight(TensorType type, MemorySegment data, MemorySegment scales) {
        long matrices = type.shape().dim(0).maximum();
        List<WeightData.Part> parts = new java.util.ArrayList<>();
        for (long i = 0; i < matrices; i++) {
            long n = data.byteSize() / matrices;
            long m = scales.byteSize() / matrices;
            parts.add(new WeightData.Part(data.asSlice(i * n, n), scales.asSlice(i * m, m)));
        }
        return new WeightData("w", type, parts);
    }

    private MemorySegment pack(HostPacking packing, WeightData source) {
        MemorySegment out = arena.allocate(packing.bytes(), 64);
        out.fill((byte) 0x5A);
        packing.pack(source, out.address());
        return out;
    }

    private static int code(TensorType type, MemorySegment data, long index) {
        return type.dtype().bits() == 4
                ? data.get(ValueLayout.JAVA_BYTE, index / 2) >> index % 2 * 4 & 15
                : Byte.toUnsignedInt(data.get(ValueLayout.JAVA_BYTE, index));
    }

    private static float value(TensorType type, MemorySegment data, MemorySegment scales, long e, long n, long k) {
        long[] d = type.shape().maximum();
        long[] b = type.scaling().scaleDims(d);
        long block = (e * b[1] + n / type.scaling().rows()) * b[2] + k / type.scaling().columns();
        float scale = DType.F8_E8M0.decode(Byte.toUnsignedInt(scales.get(ValueLayout.JAVA_BYTE, block)));
        return type.dtype().decode(code(type, data, (e * d[1] + n) * d[2] + k)) * scale;
    }

    @Test
    void codesAndScalesAreMultipliedOut() {
        for (TensorType type : List.of(FP8, FP4)) {
            MemorySegment data = random(type.maxDataBytes(), 0, 126);
            MemorySegment scales = random(type.maxScaleBytes(), 110, 140);
            MemorySegment wide = pack(new ExpandedWeight(type, DType.F32), weight(type, data, scales));
            MemorySegment narrow = pack(new ExpandedWeight(type, DType.BF16), weight(type, data, scales));
            long[] d = type.shape().maximum();
            for (long i = 0; i < type.maxElements(); i++) {
                long e = i / (d[1] * d[2]);
                long n = i / d[2] % d[1];
                long k = i % d[2];
                float expected = value(type, data, scales, e, n, k);
                assertThat(wide.getAtIndex(ValueLayout.JAVA_FLOAT, i)).isEqualTo(expected);
                short bf16 = narrow.getAtIndex(ValueLayout.JAVA_SHORT, i);
                assertThat(DType.BF16.decode(bf16 & 0xFFFF)).as("exact in BF16").isEqualTo(expected);
            }
        }
    }

    @Test
    void blockScalesAreWidened() {
        MemorySegment data = random(FP8.maxDataBytes(), 0, 126);
        MemorySegment scales = random(FP8.maxScaleBytes(), 0, 254);
        BlockScaledWeight packing = new BlockScaledWeight(FP8);
        MemorySegment out = pack(packing, weight(FP8, data, scales));
        assertThat(out.asSlice(0, data.byteSize()).mismatch(data)).isEqualTo(-1);
        long at = packing.allScales(0).address();
        for (long i = 0; i < scales.byteSize(); i++) {
            int code = Byte.toUnsignedInt(scales.get(ValueLayout.JAVA_BYTE, i));
            assertThat(out.get(ValueLayout.JAVA_FLOAT, at + i * Float.BYTES)).isEqualTo(DType.F8_E8M0.decode(code));
        }
    }

    @Test
    void tilesArePaddedWithZeros() {
        MemorySegment data = random(FP4.maxDataBytes(), 1, 127);
        MemorySegment scales = random(FP4.maxScaleBytes(), 0, 254);
        ExpertWeight packing = new ExpertWeight(FP4);
        MemorySegment out = pack(packing, weight(FP4, data, scales));
        Ten tiles = packing.tiles(0);
        assertThat(tiles.dims()).containsExactly(3, 128, 33);
        assertThat(tiles.storage()).containsExactly(3, 4, 3, 16, 32);
        for (long i = 0; i < 3L * 4 * 3 * 16 * 32; i++) {
            long e = i / (4 * 3 * 16 * 32);
            long n = i / (16 * 32) % 3 * 16 + i / 32 % 16;
            long k = i / (3 * 16 * 32) % 4 * 32 + i % 32;
            int expected = n < 33 ? code(FP4, data, (e * 33 + n) * 128 + k) : 0;
            assertThat(code(FP4, out, i)).as("matrix %d row %d column %d", e, n, k).isEqualTo(expected);
        }
        long at = packing.scales(0).address();
        assertThat(out.asSlice(at, scales.byteSize()).mismatch(scales)).isEqualTo(-1);
    }

    @Test
    void scaleByteOfNanIsRefused() {
        MemorySegment scales = random(FP4.maxScaleBytes(), 100, 140);
        scales.set(ValueLayout.JAVA_BYTE, 7, (byte) 255);
        WeightData source = weight(FP4, random(FP4.maxDataBytes(), 0, 126), scales);
        for (HostPacking packing : List.of(new ExpertWeight(FP4), new ExpandedWeight(FP4, DType.BF16))) {
            assertThatThrownBy(() -> pack(packing, source))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("scale byte 7 is 255")
                    .hasMessageContaining("weight w");
        }
    }
}
