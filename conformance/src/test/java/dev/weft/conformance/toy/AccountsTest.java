package dev.weft.conformance.toy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ClosedException;
import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.DeviceLostException;
import dev.weft.TensorType;
import dev.weft.conformance.toy.ToyFaults.Mistake;
import dev.weft.op.Add;
import dev.weft.runtime.Tensor;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** The toy device's own checks work: leaks, guard zones, bad addresses, poison. */
class AccountsTest {
    private static BackendDevice open() {
        return new ToyProvider().open(BackendConfig.DEFAULT).open(new DeviceId("toy", 0, ""));
    }

    @Test
    void anUnclosedBufferIsReportedWithSizeAndOrigin() {
        BackendDevice device = open();
        device.allocate(1000, 256).close();
        device.allocate(777, 256);
        assertThatThrownBy(device::close)
                .isInstanceOf(LeakException.class)
                .hasMessageContainingAll("toy:0", "777 bytes", "AccountsTest.anUnclosedBuffer")
                .hasMessageNotContaining("1000 bytes");
        device.close();
    }

    @Test
    void anUnclosedStreamIsReported() {
        BackendDevice device = open();
        device.createStream();
        assertThatThrownBy(device::close).isInstanceOf(LeakException.class).hasMessageContaining("stream");
    }

    @Test
    void whatTheRuntimeOwnsIsClosedWithTheDevice() {
        try (ToyFixture f = new ToyFixture()) {
            f.device.random(TensorType.of(DType.F32, 10), 1);
            var compiled = f.device.compile(ToyFixture.network());
            compiled.newExecution(compiled.loadWeights(new dev.weft.runtime.RandomWeights(1)), compiled.newStates());
            assertThat(f.toy().memory().live()).hasSize(4);
        } // a leak would be thrown here
    }

    @Test
    void addressesAreNoHostAddressesAndChecked() {
        try (BackendDevice device = open();
                DeviceBuffer buffer = device.allocate(64, 1024)) {
            assertThat(buffer.address()).isGreaterThanOrEqualTo(0x7000_0000_0000_0000L);
            assertThat(buffer.address() % 1024).isZero();
            MemorySegment host = MemorySegment.ofArray(new byte[65]);
            assertThatThrownBy(() -> device.copyOut(buffer.address(), host))
                    .isInstanceOf(ToyAccessException.class)
                    .hasMessageContaining("65 bytes");
            assertThatThrownBy(() -> device.copyIn(host, 0x1000)).isInstanceOf(ToyAccessException.class);
            assertThatThrownBy(() -> device.zero(buffer.address() - 1, 1)).isInstanceOf(ToyAccessException.class);
        }
    }

    @Test
    void freshMemoryIsPoisonedAndFreedMemoryIsGone() {
        try (BackendDevice device = open()) {
            DeviceBuffer buffer = device.allocate(8, 256);
            byte[] host = new byte[8];
            device.copyOut(buffer.address(), MemorySegment.ofArray(host));
            assertThat(host).containsOnly(0xFF);
            buffer.close();
            buffer.close();
            assertThatThrownBy(() -> device.copyOut(buffer.address(), MemorySegment.ofArray(host)))
                    .isInstanceOf(ToyAccessException.class)
                    .hasMessageContaining("not inside a live block");
        }
    }

    @Test
    void aBadAddressInAStreamLosesTheDevice() {
        BackendDevice device = open();
        DeviceStream stream = device.createStream();
        stream.copyOut(0x1234, MemorySegment.ofArray(new byte[4]));
        assertThatThrownBy(stream::synchronize)
                .isInstanceOf(DeviceLostException.class)
                .hasMessageContainingAll("copy out", "0x1234");
        stream.close();
        device.close();
        assertThatThrownBy(() -> device.allocate(1, 256)).isInstanceOf(ClosedException.class);
    }

    @Test
    void aKernelThatWritesPastItsAllocationIsFoundAtFree() {
        try (ToyFixture f = new ToyFixture()) {
            f.faults.plant("add", Mistake.WRITES_PAST_END);
            Tensor a = f.device.random(TensorType.of(DType.F32, 2, 3), 1);
            Tensor sum = f.device.ops().run(new Add(), a, a).getFirst();
            assertThatThrownBy(sum::close)
                    .isInstanceOf(ToyAccessException.class)
                    .hasMessageContaining("wrote outside");
        }
    }
}
