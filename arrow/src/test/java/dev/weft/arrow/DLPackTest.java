package dev.weft.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DLPackTest {
    /** Type codes and bits of {@code dlpack.h} 1.1. */
    @ParameterizedTest
    @CsvSource({
        "F32, 2, 32",
        "F16, 2, 16",
        "BF16, 4, 16",
        "F8_E4M3, 10, 8",
        "F8_E5M2, 12, 8",
        "F8_E8M0, 14, 8",
        "F4_E2M1, 17, 4",
        "I8, 0, 8",
        "U8, 1, 8",
        "I16, 0, 16",
        "I32, 0, 32",
        "I64, 0, 64"
    })
    void everyTypeHasItsCode(DType dtype, int code, int bits) {
        Memory memory = Memory.of(dtype, 2, 3, 4);
        CStruct kind = CStruct.DL_VERSIONED;
        MemorySegment struct = kind.at(DLPack.export(memory.tensor));
        memory.tensor.close();
        assertThat(kind.get(struct, "version.major")).isEqualTo(1);
        assertThat(kind.get(struct, "flags")).isZero();
        assertThat(kind.get(struct, "dl_tensor.dtype.code")).isEqualTo(code);
        assertThat(kind.get(struct, "dl_tensor.dtype.bits")).isEqualTo(bits);
        assertThat(kind.get(struct, "dl_tensor.dtype.lanes")).isEqualTo(1);
        assertThat(kind.get(struct, "dl_tensor.data")).isEqualTo(memory.data.address());
        assertThat(kind.get(struct, "dl_tensor.device.device_type")).isEqualTo(1);
        assertThat(kind.get(struct, "dl_tensor.ndim")).isEqualTo(3);
        assertThat(longs(kind.get(struct, "dl_tensor.shape"), 3)).containsExactly(2, 3, 4);
        assertThat(longs(kind.get(struct, "dl_tensor.strides"), 3)).containsExactly(12, 4, 1);
        assertThat(kind.get(struct, "dl_tensor.byte_offset")).isZero();
        assertThat(memory.releases).hasValue(0);
        Exports.call(kind.get(struct, "deleter"), struct);
        assertThat(memory.releases).hasValue(1);
        assertThat(Exports.live()).isZero();
    }

    private static long[] longs(long address, int count) {
        return MemorySegment.ofAddress(address).reinterpret(count * Long.BYTES).toArray(ValueLayout.JAVA_LONG);
    }

    @Test
    void theOlderFormOfADeviceTensorIsDeletedOnAnotherThread() throws InterruptedException {
        int[] releases = {0};
        TensorMemory memory = TensorMemory.at(
                TensorType.of(DType.F8_E4M3, 16), new Place(2, 3), 0x7000_0000_0100L, 0, () -> releases[0]++);
        CStruct kind = CStruct.DL_MANAGED;
        MemorySegment struct = kind.at(DLPack.exportManaged(memory));
        MemorySegment second = kind.at(DLPack.exportManaged(memory));
        memory.close();
        assertThat(kind.get(struct, "dl_tensor.data")).isEqualTo(0x7000_0000_0100L);
        assertThat(kind.get(struct, "dl_tensor.device.device_type")).isEqualTo(2);
        assertThat(kind.get(struct, "dl_tensor.device.device_id")).isEqualTo(3);
        Exports.call(kind.get(struct, "deleter"), struct);
        assertThat(releases[0]).isZero();
        Thread other = Thread.ofPlatform().start(() -> Exports.call(kind.get(second, "deleter"), second));
        other.join();
        assertThat(releases[0]).isEqualTo(1);
        assertThat(Exports.live()).isZero();
    }

    @Test
    void aTensorOfNothingHasNoAddress() {
        Memory memory = Memory.of(DType.F32, 0, 4);
        MemorySegment struct = CStruct.DL_VERSIONED.at(DLPack.export(memory.tensor));
        assertThat(CStruct.DL_VERSIONED.get(struct, "dl_tensor.data")).isZero();
        Exports.call(CStruct.DL_VERSIONED.get(struct, "deleter"), struct);
        memory.tensor.close();
        assertThat(memory.releases).hasValue(1);
    }
}
