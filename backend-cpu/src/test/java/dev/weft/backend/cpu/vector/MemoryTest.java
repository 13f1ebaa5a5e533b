package dev.weft.backend.cpu.vector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.weft.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class MemoryTest {
    private static final int COUNT = 1003; // whole vectors and a tail

    @BeforeEach
    void needsVectors() {
        assumeTrue(ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent(), "no Vector API in this JVM");
    }

    /** Any bits, among them every case of rounding: ties, the greatest finite number, subnormals, infinities, NaN. */
    private static float[] values() {
        SplittableRandom random = new SplittableRandom(3);
        float[] values = new float[COUNT + 1];
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.intBitsToFloat(random.nextInt());
        }
        int[] special = {
            0x3F80_8000,
            0x3F81_8000,
            0x3F80_8001,
            0x3F80_7FFF,
            0x7F7F_FFFF,
            0x7F80_0000,
            0xFF80_0000,
            0x7F80_0001,
            0xFFFF_FFFF,
            0x8000_0000,
            0x0000_8000,
            0x0000_8001,
            0x8000_7FFF
        };
        for (int i = 0; i < special.length; i++) {
            values[1 + i] = Float.intBitsToFloat(special[i]);
        }
        return values;
    }

    @Test
    void rowsAreStoredAsTheirElements() {
        float[] values = values();
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            try (Arena arena = Arena.ofConfined()) {
                int bytes = dtype.bits() / Byte.SIZE;
                MemorySegment row = arena.allocate((long) (COUNT + 1) * bytes, 64);
                MemorySegment elements = arena.allocate(row.byteSize(), 64);
                Memory.store(dtype, row.address(), values, 1, COUNT);
                for (int i = 0; i < COUNT; i++) {
                    Memory.store(dtype, elements.address() + (long) i * bytes, values[1 + i]);
                }
                assertThat(row.mismatch(elements)).as("%s", dtype).isEqualTo(-1);
                assertThat(row.get(ValueLayout.JAVA_SHORT, (long) COUNT * bytes))
                        .isZero();
            }
        }
    }
}
