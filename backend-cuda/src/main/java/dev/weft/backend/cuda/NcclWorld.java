package dev.weft.backend.cuda;

import dev.weft.CommunicatorException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a group joined by NCCL and its parts share: the device, the deadline, the step and the first failure, with which all
 * of them end. Thread-safe.
 */
final class NcclWorld {
    private static final Logger LOG = LoggerFactory.getLogger(NcclWorld.class);

    private final CudaDevice device;
    private final NcclLibrary library;
    private final String subject;
    private final Duration deadline;
    private final AtomicReference<@Nullable String> failure = new AtomicReference<>();
    private final List<NcclComm> comms = new CopyOnWriteArrayList<>();
    private volatile long step;

    /** @param subject this rank, for messages */
    NcclWorld(CudaDevice device, NcclLibrary library, String subject, Duration deadline) {
        this.device = device;
        this.library = library;
        this.subject = subject;
        this.deadline = deadline;
    }

    CudaDevice device() {
        return device;
    }

    NcclLibrary library() {
        return library;
    }

    String subject() {
        return subject;
    }

    Duration deadline() {
        return deadline;
    }

    long step() {
        return step;
    }

    void step(long number) {
        step = number;
    }

    void add(NcclComm comm) {
        comms.add(comm);
    }

    void remove(NcclComm comm) {
        comms.remove(comm);
    }

    /** @throws CommunicatorException after a failure, with the first one */
    void requireWhole() {
        String message = failure.get();
        if (message != null) {
            throw new CommunicatorException(message);
        }
    }

    /** Ends all groups. Returns the exception with the first failure, which may be an earlier one. */
    CommunicatorException fail(String message) {
        failure.compareAndSet(null, message);
        device.whileAlive(this::endHere);
        return new CommunicatorException(failure.get());
    }

    /**
     * Ends all communicators without waiting for other ranks; on the device's thread. The end of one frees memory, which waits
     * for the device and so for the work of the others, and for graphs that hold its calls: NCCL is told of all of them before
     * one is waited for, in a group, or by a thread for each where groups do not hold for ends.
     */
    private void endHere() {
        if (comms.isEmpty() || device.health().isStuck()) {
            return;
        }
        device.dropSharedGraphs();
        if (!library.abortsInGroups()) {
            Executor ofItsOwn = task -> Thread.ofPlatform().name(subject + ", end").start(task);
            CompletableFuture.allOf(comms.stream()
                            .map(comm -> CompletableFuture.runAsync(() -> abort(comm), ofItsOwn))
                            .toArray(CompletableFuture<?>[]::new))
                    .join();
            return;
        }
        warn("ncclGroupStart", library.nccl().ncclGroupStart());
        try {
            comms.forEach(this::abort);
        } finally {
            warn("ncclGroupEnd", library.nccl().ncclGroupEnd());
        }
    }

    private void abort(NcclComm comm) {
        warn("ncclCommAbort", comm.abortHere());
    }

    private void warn(String function, int code) {
        if (NcclComm.isFailure(code)) {
            LOG.warn("{}: {}", subject, library.describe(function, code));
        }
    }
}
