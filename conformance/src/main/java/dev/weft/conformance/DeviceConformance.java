package dev.weft.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DeviceId;
import dev.weft.DeviceMemoryException;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.HostCopy;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/**
 * Memory, copies, streams and lifetimes of a backend's devices, as the SPI promises them: what {@link BackendConformance}
 * takes for granted. A backend joins by a subclass in its own tests:
 *
 * <pre>{@code
 * class MyDevicesTest extends DeviceConformance {
 *     @Override
 *     protected Backend open(BackendConfig config) {
 *         return new MyProvider().open(config);
 *     }
 *
 *     @Override
 *     protected DeviceId device(int index) {
 *         return new DeviceId("mine", index, "");
 *     }
 * }
 * }</pre>
 */
public abstract class DeviceConformance {
    private static final long ENOUGH_NANOS = 10_000_000_000L;

    /** A backend opened with the settings; closed by the suite. */
    protected abstract Backend open(BackendConfig config);

    /** Id of a device, without a variant. */
    protected abstract DeviceId device(int index);

    private Backend open() {
        return open(BackendConfig.DEFAULT);
    }

    private static byte[] random(int bytes, long seed) {
        byte[] data = new byte[bytes];
        new Random(seed).nextBytes(data);
        return data;
    }

    private static byte[] read(BackendDevice device, long address, int bytes) {
        byte[] data = new byte[bytes];
        device.copyOut(address, MemorySegment.ofArray(data));
        return data;
    }

    private static void assertMessage(Throwable thrown, String... parts) {
        for (String part : parts) {
            assertTrue(
                    thrown.getMessage().contains(part),
                    () -> "expected '" + part + "' in the message: " + thrown.getMessage());
        }
    }

    @Test
    public void copiesOfEverySizeComeBack() {
        try (Backend backend = open();
                BackendDevice device = backend.open(device(0))) {
            for (int bytes : new int[] {0, 1, 31, 64, 4096, 4 << 20, (9 << 20) + 5}) {
                try (DeviceBuffer buffer = device.allocate(bytes, 256)) {
                    byte[] data = random(bytes, 1);
                    assertEquals(0, buffer.address() % 256, "alignment of " + bytes + " bytes");
                    device.copyIn(MemorySegment.ofArray(data), buffer.address());
                    assertArrayEquals(data, read(device, buffer.address(), bytes));
                    device.zero(buffer.address(), bytes);
                    assertArrayEquals(new byte[bytes], read(device, buffer.address(), bytes));
                }
            }
        }
    }

    @Test
    public void aStreamDeliversWhatItCopiedOut() {
        byte[] data = random(10 << 20, 2);
        byte[] back = new byte[data.length];
        try (Backend backend = open();
                BackendDevice device = backend.open(device(0));
                DeviceBuffer buffer = device.allocate(data.length, 64);
                DeviceStream stream = device.createStream()) {
            stream.copyIn(MemorySegment.ofArray(data), buffer.address());
            stream.copyOut(buffer.address(), MemorySegment.ofArray(back));
            stream.synchronize();
            assertArrayEquals(data, back);
        }
    }

    /** Of any length and at any address, and nothing between them is touched. */
    @Test
    public void copiesAreHandedOverTogether() {
        int[] sizes = {4, 0, 1, 7, 64, 1023, 4096, 2, 3, 16, 5, 12, 8, 20, 28, 65536, 65537, 40, 6};
        byte[] expected = random(200_000, 3);
        byte[] back = new byte[expected.length];
        try (Backend backend = open();
                BackendDevice device = backend.open(device(0));
                DeviceBuffer buffer = device.allocate(expected.length, 256);
                DeviceStream stream = device.createStream()) {
            device.copyIn(MemorySegment.ofArray(expected), buffer.address());
            for (int count : new int[] {0, 1, sizes.length}) {
                List<HostCopy> copies = new ArrayList<>();
                int at = 1;
                for (int i = 0; i < count; i++) {
                    at = i % 3 == 2 ? at + 3 : (at + 9) / 4 * 4; // some where words begin, some not
                    byte[] data = random(sizes[i], count + i);
                    System.arraycopy(data, 0, expected, at, data.length);
                    copies.add(new HostCopy(MemorySegment.ofArray(data), buffer.address() + at));
                    at += data.length;
                }
                stream.copyIn(copies);
                stream.copyOut(buffer.address(), MemorySegment.ofArray(back));
                stream.synchronize();
                assertArrayEquals(expected, back, count + " copies");
            }
            HostCopy nothing = new HostCopy(MemorySegment.ofArray(new byte[0]), buffer.address());
            stream.copyIn(List.of(nothing, nothing));
            stream.copyOut(buffer.address(), MemorySegment.ofArray(back));
            stream.synchronize();
            assertArrayEquals(expected, back, "empty copies");
        }
    }

    @Test
    public void segmentsOfConfinedArenasMayBeCopied() {
        try (Backend backend = open();
                BackendDevice device = backend.open(device(0));
                DeviceBuffer buffer = device.allocate(64, 64);
                DeviceStream stream = device.createStream();
                Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(64).fill((byte) 9);
            MemorySegment back = arena.allocate(64);
            stream.copyIn(data, buffer.address());
            stream.copyOut(buffer.address(), back);
            stream.synchronize();
            byte[] nines = new byte[64];
            Arrays.fill(nines, (byte) 9);
            assertArrayEquals(nines, back.toArray(ValueLayout.JAVA_BYTE));
        }
    }

    /** A column of a matrix to a place of its own and back into another column, behind what the stream held. */
    @Test
    public void piecesAreCopiedWithinTheDevice() {
        byte[] matrix = random(5 * 8, 4);
        byte[] back = new byte[matrix.length];
        try (Backend backend = open();
                BackendDevice device = backend.open(device(0));
                DeviceBuffer buffer = device.allocate(128, 64);
                DeviceStream stream = device.createStream()) {
            long column = buffer.address() + 64;
            stream.copyIn(MemorySegment.ofArray(matrix), buffer.address());
            stream.copy(buffer.address() + 3, 8, column, 2, 2, 5);
            stream.copy(column, 2, buffer.address() + 6, 8, 2, 5);
            stream.copy(buffer.address(), 40, column, 40, 40, 1);
            stream.copy(column, 40, column, 40, 0, 1);
            stream.copyOut(column, MemorySegment.ofArray(back));
            stream.synchronize();
            for (int row = 0; row < 5; row++) {
                matrix[8 * row + 6] = matrix[8 * row + 3];
                matrix[8 * row + 7] = matrix[8 * row + 4];
            }
            assertArrayEquals(matrix, back);
        }
    }

    @Test
    public void eventsOrderStreams() {
        byte[] data = random(1 << 20, 3);
        byte[] back = new byte[data.length];
        try (Backend backend = open();
                BackendDevice device = backend.open(device(0));
                DeviceBuffer buffer = device.allocate(data.length, 64);
                DeviceStream first = device.createStream();
                DeviceStream second = device.createStream()) {
            for (int i = 0; i < 20; i++) {
                data[0] = (byte) i;
                first.copyIn(MemorySegment.ofArray(data), buffer.address());
                second.waitFor(first.record());
                second.copyOut(buffer.address(), MemorySegment.ofArray(back));
                DeviceStream.Event read = second.record();
                first.waitFor(read);
                read.synchronize();
                assertTrue(read.isDone());
                assertArrayEquals(data, back);
            }
        }
    }

    @Test
    public void theMemoryLimitIsKept() {
        try (Backend backend = open(BackendConfig.DEFAULT.withMemoryLimit(1 << 20));
                BackendDevice device = backend.open(device(0))) {
            DeviceMemoryException refused =
                    assertThrows(DeviceMemoryException.class, () -> device.allocate(2 << 20, 64));
            assertMessage(refused, "2097152", "1048576");
            device.availableBytes().ifPresent(free -> assertTrue(free <= 1 << 20, () -> "free: " + free));
            device.allocate(1 << 20, 64).close();
        }
    }

    @Test
    public void virtualThreadsMayUseADevice() throws InterruptedException, ExecutionException {
        try (Backend backend = open();
                BackendDevice device = backend.open(device(0));
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<byte[]>> work = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                byte[] data = random(50_000, i);
                work.add(() -> {
                    try (DeviceBuffer buffer = device.allocate(data.length, 64);
                            DeviceStream stream = device.createStream()) {
                        stream.copyIn(MemorySegment.ofArray(data), buffer.address());
                        Thread.yield();
                        stream.synchronize();
                        return read(device, buffer.address(), data.length);
                    }
                });
            }
            var done = threads.invokeAll(work);
            for (int i = 0; i < done.size(); i++) {
                assertArrayEquals(random(50_000, i), done.get(i).get(), "thread " + i);
            }
        }
    }

    @Test
    public void devicesCloseInAnyOrder() {
        for (int seed = 0; seed < 3; seed++) {
            try (Backend backend = open()) {
                List<BackendDevice> devices = new ArrayList<>();
                List<DeviceStream> streams = new ArrayList<>();
                List<Integer> order = new ArrayList<>();
                for (int i = 0; i < backend.devices().size(); i++) {
                    devices.add(backend.open(device(i)));
                    streams.add(devices.get(i).createStream());
                    devices.get(i).allocate(1000, 64);
                    order.add(i);
                }
                Collections.shuffle(order, new Random(seed));
                for (int i : order) {
                    if (i % 2 == 0) {
                        streams.get(i).close();
                    }
                    devices.get(i).close();
                    devices.get(i).close();
                    streams.get(i).close();
                    assertThrows(ClosedException.class, () -> devices.get(i).allocate(1, 64));
                }
            }
        }
    }

    @Test
    public void oneDeviceOpensTwice() {
        try (Backend backend = open();
                BackendDevice a = backend.open(device(0));
                BackendDevice b = backend.open(device(0))) {
            DeviceBuffer kept = b.allocate(64, 64);
            a.close();
            b.zero(kept.address(), 64);
            assertArrayEquals(new byte[64], read(b, kept.address(), 64));
        }
    }

    @Test
    public void backendsShareTheProcess() {
        Backend first = open();
        Backend second = open();
        first.close();
        try (BackendDevice device = second.open(device(0));
                DeviceBuffer buffer = device.allocate(64, 64)) {
            device.zero(buffer.address(), 64);
            assertArrayEquals(new byte[64], read(device, buffer.address(), 64));
        }
        second.close();
        second.close();
    }

    @Test
    public void useAfterCloseIsRefused() {
        Backend backend = open();
        BackendDevice device = backend.open(device(0));
        DeviceBuffer buffer = device.allocate(64, 64);
        DeviceStream stream = device.createStream();
        DeviceStream open = device.createStream();
        long address = buffer.address();
        boolean counts = device.availableBytes().isPresent();
        stream.close();
        stream.close();
        assertThrows(ClosedException.class, stream::synchronize);
        assertThrows(ClosedException.class, stream::record);
        device.close();
        device.close();
        List<Executable> uses = new ArrayList<>(List.of(
                () -> device.allocate(1, 64),
                device::createStream,
                open::synchronize,
                () -> device.zero(address, 64),
                () -> device.copyIn(MemorySegment.ofArray(new byte[4]), address),
                () -> device.copyOut(address, MemorySegment.ofArray(new byte[4]))));
        if (counts) {
            uses.add(device::availableBytes);
        }
        for (int i = 0; i < uses.size(); i++) {
            assertMessage(
                    assertThrows(ClosedException.class, uses.get(i), "use " + i),
                    device(0).toString());
        }
        buffer.close();
        buffer.close();
        open.close();
        backend.close();
        assertThrows(ClosedException.class, () -> backend.open(device(0)));
    }

    @Test
    public void aBackendClosesWhatIsOpen() {
        Backend backend = open();
        List<BackendDevice> devices = new ArrayList<>();
        for (int i = 0; i < backend.devices().size(); i++) {
            BackendDevice device = backend.open(device(i));
            device.allocate(1 << 20, 64);
            device.createStream().record();
            devices.add(device);
        }
        backend.close();
        for (BackendDevice device : devices) {
            assertThrows(ClosedException.class, device::createStream);
            device.close();
        }
    }

    @Test
    public void closingWaitsForWorkUnderWay() throws InterruptedException {
        byte[] data = random(1 << 20, 4);
        for (int round = 0; round < 5; round++) {
            Backend backend = open();
            BackendDevice device = backend.open(device(0));
            DeviceBuffer buffer = device.allocate(data.length, 64);
            long address = buffer.address();
            long end = System.nanoTime() + ENOUGH_NANOS; // else a device that does not refuse is never seen to
            List<Throwable> ends = Collections.synchronizedList(new ArrayList<>());
            Thread worker = Thread.ofVirtual().start(() -> {
                try (DeviceStream stream = device.createStream()) {
                    while (System.nanoTime() < end) {
                        stream.copyIn(MemorySegment.ofArray(data), address);
                        stream.synchronize();
                    }
                } catch (Throwable e) {
                    ends.add(e);
                }
            });
            Thread.sleep(20);
            device.close();
            worker.join();
            backend.close();
            assertEquals(1, ends.size(), "a stream of a closed device went on");
            assertTrue(ends.getFirst() instanceof ClosedException, () -> "ended by " + ends.getFirst());
        }
    }

    @Test
    public void unknownDevicesAndVariantsAreNamed() {
        try (Backend backend = open()) {
            DeviceId missing = device(1000);
            assertMessage(
                    assertThrows(BackendUnavailableException.class, () -> backend.open(missing)),
                    missing.toString(),
                    device(0).toString());
            DeviceId odd = DeviceId.parse(device(0) + "/abacus");
            assertMessage(assertThrows(BackendUnavailableException.class, () -> backend.open(odd)), odd.toString());
        }
    }
}
