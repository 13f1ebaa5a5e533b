package dev.weft.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ClosedException;
import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.DeviceMemoryException;
import dev.weft.Scaling;
import dev.weft.ShapeException;
import dev.weft.TensorType;
import dev.weft.runtime.Tensor;
import dev.weft.runtime.TensorLoan;
import dev.weft.runtime.Weft;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TensorMemoryTest {
    @Test
    void theLastHolderReleasesOnce() throws InterruptedException {
        Memory memory = Memory.of(DType.F32, 4, 2);
        MemorySegment seen = memory.tensor.data();
        List<TensorMemory.Hold> holds = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            holds.add(memory.tensor.hold());
        }
        memory.tensor.close();
        memory.tensor.close();
        assertThat(memory.releases).hasValue(0);
        assertThat(seen.get(ValueLayout.JAVA_BYTE, 31)).isEqualTo((byte) (3 * 31 + 1));
        List<Thread> threads = holds.stream()
                .flatMap(h -> List.of(h, h).stream()) // everybody closes twice
                .map(h -> Thread.ofPlatform().start(h::close))
                .toList();
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(memory.releases).hasValue(1);
        assertThatThrownBy(() -> seen.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void useAfterCloseIsRefused() {
        Memory memory = Memory.of(DType.F32, 4);
        memory.tensor.close();
        assertThatThrownBy(memory.tensor::data)
                .isInstanceOf(ClosedException.class)
                .hasMessageContaining("[4] f32");
        assertThatThrownBy(memory.tensor::address).isInstanceOf(ClosedException.class);
        assertThatThrownBy(memory.tensor::scales).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> DLPack.export(memory.tensor)).isInstanceOf(ClosedException.class);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment array = arena.allocate(CStruct.ARRAY.layout());
            assertThatThrownBy(() -> CData.exportArray(memory.tensor, array)).isInstanceOf(ClosedException.class);
        }
        assertThat(Exports.live()).isZero();
    }

    @Test
    void scalesAreATensorThatHoldsTheSameMemory() {
        TensorType type = TensorType.of(DType.F4_E2M1, 3, 64).scaled(Scaling.MXFP4);
        Memory memory = Memory.of(type);
        TensorMemory scales = memory.tensor.scales().orElseThrow();
        assertThat(scales.type()).isEqualTo(TensorType.of(DType.F8_E8M0, 3, 2));
        memory.tensor.close();
        assertThat(scales.data().mismatch(memory.scales)).isEqualTo(-1);
        scales.close();
        assertThat(memory.releases).hasValue(1);
    }

    @Test
    void elementsAndScalesComeTogether() {
        Memory elements = Memory.of(DType.F8_E4M3, 2, 128);
        Memory scales = Memory.of(DType.F8_E8M0, 2, 1);
        TensorMemory both = TensorMemory.scaled(elements.tensor, scales.tensor, Scaling.FP8_GROUP_128);
        elements.tensor.close();
        scales.tensor.close();
        assertThat(both.type()).isEqualTo(elements.tensor.type().scaled(Scaling.FP8_GROUP_128));
        try (TensorMemory seen = both.scales().orElseThrow()) {
            assertThat(seen.address()).isEqualTo(scales.data.address());
        }
        assertThat(elements.releases).hasValue(0);
        both.close();
        assertThat(elements.releases).hasValue(1);
        assertThat(scales.releases).hasValue(1);
        Memory other = Memory.of(DType.F8_E4M3, 2, 128);
        Memory wrong = Memory.of(DType.U8, 2, 1);
        assertThatThrownBy(() -> TensorMemory.scaled(other.tensor, wrong.tensor, Scaling.FP8_GROUP_128))
                .isInstanceOf(ShapeException.class)
                .hasMessageContaining("found scales [2, 1] u8 of the host, expected [2, 1] f8_e8m0");
    }

    @Test
    void memoryThatDoesNotFitIsRefused() {
        TensorType type = TensorType.of(DType.F32, 2);
        MemorySegment heap = MemorySegment.ofArray(new byte[8]);
        assertThatThrownBy(() -> TensorMemory.host(type, heap, MemorySegment.NULL, () -> {}))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("Java heap");
        assertThatThrownBy(() -> TensorMemory.host(type, heap.asSlice(1), MemorySegment.NULL, () -> {}))
                .isInstanceOf(ShapeException.class)
                .hasMessageContaining("found 7 bytes");
    }

    @Test
    void aTensorMayBeClosedBeforeItsLoanAndTheDeviceMayNot() {
        Weft weft = Weft.open();
        Tensor tensor =
                weft.device("cpu:0/scalar").tensor(TensorType.of(DType.F32, 3)).copyFrom(new float[] {1, 2, 3});
        TensorMemory memory = TensorMemory.of(tensor);
        TensorLoan loan = tensor.lend();
        assertThat(loan.address()).isEqualTo(memory.address());
        tensor.close();
        assertThatThrownBy(tensor::lend).isInstanceOf(ClosedException.class);
        assertThat(memory.data().toArray(ValueLayout.JAVA_FLOAT)).containsExactly(1, 2, 3);
        assertThatThrownBy(weft::close)
                .isInstanceOf(DeviceMemoryException.class)
                .hasMessageContaining("cpu:0/scalar", "2 loans");
        memory.close();
        loan.close();
        loan.close();
        assertThatThrownBy(loan::address).isInstanceOf(ClosedException.class);
        weft.close();
    }

    @Test
    void bytesOfAnotherLibraryBecomeATensor() {
        TensorType type = TensorType.of(DType.F8_E4M3, 1, 128).scaled(Scaling.FP8_GROUP_128);
        Memory memory = Memory.of(type);
        try (Weft weft = Weft.open();
                Tensor tensor = weft.device("cpu:0/scalar").tensor(type)) {
            tensor.copyFrom(memory.data, memory.scales);
            float scale = DType.F8_E8M0.decode(1);
            assertThat(tensor.toFloatArray()[7]).isEqualTo(DType.F8_E4M3.decode(22) * scale);
            assertThatThrownBy(() -> tensor.copyFrom(memory.data, MemorySegment.NULL))
                    .isInstanceOf(ShapeException.class)
                    .hasMessageContaining("0 of scales, expected 128 and 1");
        }
    }

    @Test
    void devicesThatDLPackDoesNotKnowAreRefused() {
        assertThat(Place.of(DeviceId.parse("cuda:3"))).isEqualTo(new Place(2, 3));
        assertThat(Place.of(DeviceId.parse("cpu:0/vector"))).isEqualTo(Place.HOST);
        assertThatThrownBy(() -> Place.of(DeviceId.parse("ascend:0")))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("ascend:0", "no device type");
    }
}
