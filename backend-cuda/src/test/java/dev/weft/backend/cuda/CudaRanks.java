package dev.weft.backend.cuda;

import dev.weft.DeviceId;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceGroups;
import dev.weft.spi.support.LocalGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Ranks that are threads of this process, each with an emulated device of its own, joined by the emulated NCCL. */
final class CudaRanks {
    private static final Duration LONG = Duration.ofSeconds(60);

    private CudaRanks() {}

    /** What a rank does. */
    interface Work<T> {
        T on(DeviceCommunicator group) throws Exception;
    }

    /** What a thread does that is to be a rank. */
    interface Start<T> {
        T on(Communicator local) throws Exception;
    }

    /** What every thread's work returned or threw, once all have ended. */
    static <T> List<Future<T>> start(int size, Start<T> work) {
        List<Future<T>> results = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(size)) {
            for (Communicator local : LocalGroup.of(size, LONG)) {
                results.add(threads.submit(() -> work.on(local)));
            }
        }
        return results;
    }

    /** What every rank's work returned or threw, once all have ended. */
    static <T> List<Future<T>> run(CudaBackend backend, int size, Duration deadline, Work<T> work) {
        return start(size, local -> {
            DeviceId id = new DeviceId("cuda", local.rank(), "");
            try (BackendDevice device = backend.open(id);
                    DeviceCommunicator group = join(local, device, deadline)) {
                return work.on(group);
            }
        });
    }

    /** Makes a group of devices of one of threads. */
    static DeviceCommunicator join(Communicator local, BackendDevice device, Duration deadline) {
        return ((DeviceGroups) device).join("world", local.rank(), local.size(), mine -> first(local, mine), deadline);
    }

    private static byte[] first(Communicator local, byte[] mine) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_BYTE, mine);
            local.broadcast("identity", data, 0);
            return data.toArray(ValueLayout.JAVA_BYTE);
        }
    }
}
