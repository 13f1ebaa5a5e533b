package dev.weft.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ClosedException;
import dev.weft.DType;
import dev.weft.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CDataTest {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment schema = arena.allocate(CStruct.SCHEMA.layout());
    private final MemorySegment array = arena.allocate(CStruct.ARRAY.layout());

    @AfterEach
    void nothingIsLeft() {
        assertThat(Exports.live()).isZero();
        arena.close();
    }

    private void release() {
        Exports.call(CStruct.ARRAY.get(array, "release"), array);
    }

    private void releaseSchema() {
        Exports.call(CStruct.SCHEMA.get(schema, "release"), schema);
    }

    private static MemorySegment child(CStruct kind, MemorySegment of) {
        long children = kind.get(of, "children");
        return kind.at(MemorySegment.ofAddress(children)
                .reinterpret(ValueLayout.ADDRESS.byteSize())
                .get(ValueLayout.ADDRESS, 0));
    }

    private static long buffer(MemorySegment of, int i) {
        return MemorySegment.ofAddress(CStruct.ARRAY.get(of, "buffers"))
                .reinterpret(2 * ValueLayout.ADDRESS.byteSize())
                .getAtIndex(ValueLayout.ADDRESS, i)
                .address();
    }

    private static String string(MemorySegment schema, String field) {
        return MemorySegment.ofAddress(CStruct.SCHEMA.get(schema, field))
                .reinterpret(Long.MAX_VALUE)
                .getString(0);
    }

    static Stream<TensorType> types() {
        return Stream.concat(
                Stream.of(DType.values()).map(d -> TensorType.of(d, 3, 4, 2)),
                Stream.of(
                        TensorType.of(DType.F32),
                        TensorType.of(DType.BF16, 5),
                        TensorType.of(DType.F4_E2M1, 6),
                        TensorType.of(DType.I64, 0, 4)));
    }

    @ParameterizedTest
    @MethodSource("types")
    void everyTypeComesBackAtTheSameAddress(TensorType type) {
        Memory memory = Memory.of(type);
        CData.exportSchema(type, "x", schema);
        CData.exportArray(memory.tensor, array);
        memory.tensor.close();
        try (TensorMemory back = CData.importArray(array, schema)) {
            assertThat(back.type()).isEqualTo(type);
            assertThat(back.address()).isEqualTo(memory.data.address());
            assertThat(back.data().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(memory.bytes());
            assertThat(CStruct.ARRAY.get(array, "release")).isZero();
            assertThat(CStruct.SCHEMA.get(schema, "release")).isZero();
            assertThat(memory.releases).hasValue(0);
        }
        assertThat(memory.releases).hasValue(1);
        assertThatThrownBy(() -> CData.importArray(array, schema)).isInstanceOf(ClosedException.class);
    }

    @Test
    void aMatrixIsAListOfFixedSizeWithTheTensorExtension() {
        Memory memory = Memory.of(DType.F4_E2M1, 3, 2, 8);
        CData.exportSchema(memory.tensor.type(), "w", schema);
        CData.exportArray(memory.tensor, array);
        assertThat(string(schema, "format")).isEqualTo("+w:8");
        assertThat(string(schema, "name")).isEqualTo("w");
        assertThat(string(child(CStruct.SCHEMA, schema), "format")).isEqualTo("C");
        assertThat(CData.decode(schema))
                .isEqualTo(Map.of(
                        "ARROW:extension:name", "arrow.fixed_shape_tensor",
                        "ARROW:extension:metadata", "{\"shape\":[2,4]}",
                        "weft.dtype", "f4_e2m1",
                        "weft.shape", "3,2,8"));
        assertThat(CStruct.ARRAY.get(array, "length")).isEqualTo(3);
        assertThat(CStruct.ARRAY.get(child(CStruct.ARRAY, array), "length")).isEqualTo(24);
        assertThat(buffer(child(CStruct.ARRAY, array), 1)).isEqualTo(memory.data.address());
        memory.tensor.close();
        release();
        releaseSchema();
        assertThat(memory.releases).hasValue(1);
    }

    @Test
    void aChildThatWasMovedAwayOutlivesItsParent() throws InterruptedException {
        Memory memory = Memory.of(DType.F32, 2, 3);
        CData.exportArray(memory.tensor, array);
        memory.tensor.close();
        MemorySegment child = child(CStruct.ARRAY, array);
        MemorySegment moved = arena.allocate(CStruct.ARRAY.layout()).copyFrom(child);
        CStruct.ARRAY.set(child, "release", 0);
        release();
        assertThat(CStruct.ARRAY.get(array, "release")).isZero();
        assertThat(memory.releases).hasValue(0);
        assertThat(buffer(moved, 1)).isEqualTo(memory.data.address());
        Thread other = Thread.ofPlatform().start(() -> Exports.call(CStruct.ARRAY.get(moved, "release"), moved));
        other.join();
        assertThat(memory.releases).hasValue(1);
    }

    @Test
    void arraysOfOthersAreTensorsToo() {
        Memory memory = Memory.of(DType.I32, 6);
        // as a library without Weft's metadata describes a slice of a list: values 2 to 5 of 6
        TensorType type = TensorType.of(DType.I32, 2, 2);
        CData.exportSchema(type, "slice", schema);
        CStruct.SCHEMA.set(schema, "metadata", 0);
        CData.exportArray(memory.tensor, array);
        MemorySegment values = arena.allocate(CStruct.ARRAY.layout()).copyFrom(array);
        array.fill((byte) 0);
        CStruct.ARRAY.set(array, "length", 2);
        CStruct.ARRAY.set(array, "offset", 1);
        CStruct.ARRAY.set(array, "n_buffers", 1);
        CStruct.ARRAY.set(array, "n_children", 1);
        CStruct.ARRAY.set(array, "buffers", arena.allocate(ValueLayout.ADDRESS));
        CStruct.ARRAY.set(array, "children", arena.allocateFrom(ValueLayout.ADDRESS, values));
        CStruct.ARRAY.set(array, "release", CStruct.ARRAY.get(values, "release"));
        memory.tensor.close();
        try (TensorMemory slice = CData.importArray(array, schema)) {
            assertThat(slice.type()).isEqualTo(type);
            assertThat(slice.address()).isEqualTo(memory.data.address() + 8);
        }
        assertThat(memory.releases).hasValue(1);
    }

    @Test
    void whatIsNoTensorIsRefusedAndStaysWithItsOwner() {
        Memory memory = Memory.of(DType.F32, 4);
        CData.exportSchema(memory.tensor.type(), "x", schema);
        CData.exportArray(memory.tensor, array);
        CStruct.ARRAY.set(array, "null_count", 2);
        assertThatThrownBy(() -> CData.importArray(array, schema))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("arrow array 'x': found 2 nulls");
        CStruct.ARRAY.set(array, "null_count", 0);
        CStruct.ARRAY.set(array, "length", 3);
        assertThatThrownBy(() -> CData.importArray(array, schema))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("found 3 elements", "[4] f32");
        CStruct.SCHEMA.set(schema, "format", arena.allocateFrom("u"));
        assertThatThrownBy(() -> CData.importArray(array, schema))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("format 'u'");
        memory.tensor.close();
        assertThat(memory.releases).hasValue(0);
        release();
        releaseSchema();
        assertThat(memory.releases).hasValue(1);
    }

    @Test
    void addressesOfADeviceArePassedOnAndNeverFollowed() {
        TensorType type = TensorType.of(DType.BF16, 2, 8);
        int[] releases = {0};
        TensorMemory memory = TensorMemory.at(type, new Place(2, 1), 0x7000_0000_0000L, 0, () -> releases[0]++);
        assertThatThrownBy(memory::data).isInstanceOf(ArrowException.class).hasMessageContaining("cuda:1");
        assertThatThrownBy(() -> CData.exportArray(memory, array))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("ArrowDeviceArray");
        MemorySegment device = arena.allocate(CStruct.DEVICE_ARRAY.layout());
        CData.exportSchema(type, "x", schema);
        CData.exportDeviceArray(memory, device);
        assertThat(CStruct.DEVICE_ARRAY.get(device, "device_type")).isEqualTo(2);
        assertThat(CStruct.DEVICE_ARRAY.get(device, "device_id")).isEqualTo(1);
        assertThat(CStruct.DEVICE_ARRAY.get(device, "sync_event")).isZero();
        memory.close();
        CStruct.DEVICE_ARRAY.set(device, "sync_event", 1);
        assertThatThrownBy(() -> CData.importDeviceArray(device, schema)).isInstanceOf(ArrowException.class);
        CStruct.DEVICE_ARRAY.set(device, "sync_event", 0);
        try (TensorMemory back = CData.importDeviceArray(device, schema)) {
            assertThat(back.type()).isEqualTo(type);
            assertThat(back.address()).isEqualTo(0x7000_0000_0000L);
            assertThatThrownBy(back::data).isInstanceOf(ArrowException.class);
            assertThat(releases[0]).isZero();
        }
        assertThat(releases[0]).isEqualTo(1);
    }

    @Test
    void rowsThatEndWithinAByteAreRefused() {
        assertThatThrownBy(() -> CData.exportSchema(TensorType.of(DType.F4_E2M1, 2, 3), "x", schema))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("rows of 3 elements", "even");
    }
}
