package dev.weft.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.runtime.Tensor;
import dev.weft.runtime.Weft;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.stream.Stream;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.Float4Vector;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.complex.FixedSizeListVector;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ArrowTensorsTest {
    static Stream<TensorType> types() {
        return CDataTest.types();
    }

    @ParameterizedTest
    @MethodSource("types")
    void everyTypeIsAVectorOverTheSameMemoryAndBack(TensorType type) {
        Memory memory = Memory.of(type);
        try (BufferAllocator allocator = new RootAllocator()) {
            FieldVector vector = ArrowTensors.toVector(memory.tensor, "x", allocator);
            memory.tensor.close();
            TensorMemory back = ArrowTensors.fromVector(vector);
            assertThat(back.type()).isEqualTo(type);
            assertThat(back.address()).isEqualTo(memory.data.address());
            vector.close();
            assertThat(memory.releases).hasValue(0);
            assertThat(back.data().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(memory.bytes());
            back.close();
            assertThat(memory.releases).hasValue(1);
            assertThat(allocator.getAllocatedMemory()).isZero();
        }
    }

    @Test
    void aTensorOfADeviceIsReadByArrow() {
        try (Weft weft = Weft.open();
                BufferAllocator allocator = new RootAllocator()) {
            Tensor tensor = weft.device("cpu:0/scalar")
                    .tensor(TensorType.of(DType.F32, 2, 3))
                    .copyFrom(new float[] {1, 2, 3, 4, 5, 6});
            TensorMemory memory = TensorMemory.of(tensor);
            FieldVector vector = ArrowTensors.toVector(memory, "x", allocator);
            memory.close();
            tensor.close();
            assertThat(vector).isInstanceOf(FixedSizeListVector.class);
            assertThat(vector.getObject(1)).isEqualTo(List.of(4f, 5f, 6f));
            vector.close();
        }
    }

    @Test
    void aVectorOfArrowIsATensor() {
        try (BufferAllocator allocator = new RootAllocator();
                Weft weft = Weft.open()) {
            Float4Vector vector = new Float4Vector("v", allocator);
            vector.allocateNew(3);
            for (int i = 0; i < 3; i++) {
                vector.set(i, i + 0.5f);
            }
            vector.setValueCount(3);
            TensorMemory memory = ArrowTensors.fromVector(vector);
            vector.close();
            try (memory;
                    Tensor tensor = weft.device("cpu:0/scalar").tensor(memory.type())) {
                tensor.copyFrom(memory.data(), MemorySegment.NULL);
                assertThat(tensor.toFloatArray()).containsExactly(0.5f, 1.5f, 2.5f);
            }
            assertThat(allocator.getAllocatedMemory()).isZero();
        }
    }

    @Test
    void whatIsNoTensorIsRefused() {
        try (BufferAllocator allocator = new RootAllocator();
                IntVector nulls = new IntVector("n", allocator);
                VarCharVector text = new VarCharVector("t", allocator)) {
            nulls.allocateNew(2);
            nulls.set(0, 1);
            nulls.setNull(1);
            nulls.setValueCount(2);
            assertThatThrownBy(() -> ArrowTensors.fromVector(nulls))
                    .isInstanceOf(ArrowException.class)
                    .hasMessageContaining("vector 'n': found 1 nulls");
            assertThatThrownBy(() -> ArrowTensors.fromVector(text))
                    .isInstanceOf(ArrowException.class)
                    .hasMessageContaining("vector 't': found elements of Arrow format 'Utf8'");
            TensorMemory device = TensorMemory.at(TensorType.of(DType.F32, 2), new Place(2, 0), 4096, 0, () -> {});
            assertThatThrownBy(() -> ArrowTensors.toVector(device, "x", allocator))
                    .isInstanceOf(ArrowException.class)
                    .hasMessageContaining("cuda:0");
        }
    }
}
