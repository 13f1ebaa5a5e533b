package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ClosedException;
import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The queue: order, events, threads, failures. */
class CpuStreamTest {
    private final CpuBackend backend = Cpu.backend(BackendConfig.DEFAULT);
    private final CpuDevice device = Cpu.open(backend, "scalar");
    private final DeviceStream stream = device.createStream();
    private final Arena arena = Arena.ofShared();
    private final DeviceBuffer buffer = device.allocate(8, 8);
    private final KernelArguments arguments = new KernelArguments(List.of(TensorType.of(DType.I64, 1)), arena);
    private final MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);

    CpuStreamTest() {
        arguments.bind(0, buffer.address(), 0);
        device.zero(buffer.address(), 8);
    }

    @AfterEach
    void close() {
        backend.close();
        arena.close();
    }

    private static MemorySegment cell(KernelArguments a) {
        return HostMemory.segment(a.address(0), 8);
    }

    private void enqueue(DeviceStream to, Consumer<KernelArguments> body) {
        new JavaKernel("test", 0, body).enqueue(to, arguments);
    }

    /** Multiplies by ten and adds: the result spells the order. */
    private void digit(DeviceStream to, int digit) {
        enqueue(to, a -> cell(a).set(ValueLayout.JAVA_LONG, 0, 10 * cell(a).get(ValueLayout.JAVA_LONG, 0) + digit));
    }

    private long read() {
        device.copyOut(buffer.address(), out);
        return out.get(ValueLayout.JAVA_LONG, 0);
    }

    @Test
    void workRunsInOrderOnceSomebodyWaits() {
        MemorySegment seven = arena.allocateFrom(ValueLayout.JAVA_LONG, 7);
        stream.copyIn(seven, buffer.address());
        digit(stream, 1);
        digit(stream, 2);
        MemorySegment seen = arena.allocate(ValueLayout.JAVA_LONG);
        stream.copyOut(buffer.address(), seen);
        digit(stream, 3);
        assertThat(read()).isZero();
        stream.synchronize();
        assertThat(seen.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(712);
        assertThat(read()).isEqualTo(7123);
        stream.synchronize();
        assertThat(read()).isEqualTo(7123);
    }

    /** The middle of the number, byte by byte to every second place. */
    @Test
    void piecesAreCopiedWhenTheQueueRuns() {
        MemorySegment bytes = arena.allocateFrom(ValueLayout.JAVA_LONG, 0x0807060504030201L);
        stream.copyIn(bytes, buffer.address());
        try (DeviceBuffer target = device.allocate(8, 8)) {
            device.zero(target.address(), 8);
            stream.copy(buffer.address() + 2, 1, target.address(), 2, 1, 4);
            device.copyOut(target.address(), out);
            assertThat(out.get(ValueLayout.JAVA_LONG, 0)).isZero();
            stream.synchronize();
            device.copyOut(target.address(), out);
            assertThat(out.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0x0006000500040003L);
        }
    }

    @Test
    void aStreamWaitsForAnotherOne() {
        try (DeviceStream other = device.createStream()) {
            digit(stream, 1);
            DeviceStream.Event event = stream.record();
            other.waitFor(event);
            digit(other, 2);
            other.synchronize();
            assertThat(read()).isEqualTo(12);
            assertThat(event.isDone()).isTrue();
        }
    }

    @Test
    void anEventIsWaitedForOnAnotherThread() {
        try (Arena confined = Arena.ofConfined()) {
            stream.copyIn(confined.allocateFrom(ValueLayout.JAVA_LONG, 4), buffer.address());
            digit(stream, 2);
            CompletableFuture.runAsync(stream.record()::synchronize).join();
            assertThat(read()).isEqualTo(42);
        }
    }

    @Test
    void aFailureIsThrownToWhoeverWaitsAndTheStreamGoesOn() {
        digit(stream, 1);
        DeviceStream.Event before = stream.record();
        enqueue(stream, a -> {
            throw new IllegalStateException("broken kernel");
        });
        digit(stream, 2);
        DeviceStream.Event after = stream.record();
        assertThatThrownBy(stream::synchronize).hasMessage("broken kernel");
        assertThatThrownBy(after::synchronize).hasMessage("broken kernel");
        before.synchronize();
        assertThat(read()).isEqualTo(1);
        digit(stream, 3);
        stream.synchronize();
        assertThat(read()).isEqualTo(13);
    }

    @Test
    void aCopyFromClosedMemoryFailsInsteadOfCrashing() {
        Arena early = Arena.ofConfined();
        stream.copyIn(early.allocate(8), buffer.address());
        early.close();
        assertThatThrownBy(stream::synchronize).isInstanceOf(RuntimeException.class);
    }

    @Test
    void closeWaitsForARunAndDropsWhatIsQueued() throws InterruptedException {
        CompletableFuture<Void> started = new CompletableFuture<>();
        CompletableFuture<Void> release = new CompletableFuture<>();
        enqueue(stream, a -> {
            started.complete(null);
            release.join();
            cell(a).set(ValueLayout.JAVA_LONG, 0, 5);
        });
        CompletableFuture<Void> run = CompletableFuture.runAsync(stream::synchronize);
        started.join();
        CompletableFuture<Void> close = CompletableFuture.runAsync(device::close);
        Thread.sleep(20);
        assertThat(close).isNotDone();
        release.complete(null);
        close.join();
        run.join();

        CpuDevice second = Cpu.open(backend, "scalar");
        DeviceStream dropped = second.createStream();
        digit(dropped, 9);
        DeviceStream.Event event = dropped.record();
        dropped.close();
        assertThatThrownBy(event::synchronize).isInstanceOf(ClosedException.class);
    }
}
