package dev.weft.backend.ascend;

import dev.weft.CommunicatorException;
import dev.weft.backend.ascend.abi.HcclResult;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;

/**
 * What the groups of one join share: the library, the deadline and the first failure, after which none of them can be used.
 * Thread-safe.
 */
final class HcclWorld {
    private static final double NANOS = 1e9;

    /** How long work may take to end once its group has failed. */
    private static final long FAILED_MILLIS = 1000;

    private final AscendDevice device;
    private final MemorySegment comm;
    private final int rank;
    private final int size;
    private final HcclCommOptions options;
    private final Duration deadline;
    private final AtomicReference<String> failure = new AtomicReference<>("");
    private volatile long step;

    /** @param comm communicator of all ranks, from which the others are split */
    HcclWorld(AscendDevice device, MemorySegment comm, int rank, int size, HcclCommOptions options, Duration deadline) {
        this.device = device;
        this.comm = comm;
        this.rank = rank;
        this.size = size;
        this.options = options;
        this.deadline = deadline;
    }

    AscendDevice device() {
        return device;
    }

    MemorySegment comm() {
        return comm;
    }

    HcclCommOptions options() {
        return options;
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

    boolean hasFailed() {
        return !failure.get().isEmpty();
    }

    /** @throws CommunicatorException after a failure, with its message */
    void requireWhole() {
        String first = failure.get();
        if (!first.isEmpty()) {
            throw new CommunicatorException(first);
        }
    }

    /** Records a failure; the first one counts. */
    CommunicatorException fail(String message) {
        failure.compareAndSet("", message);
        return new CommunicatorException(failure.get());
    }

    private CommunicatorException fail(String message, Throwable cause) {
        failure.compareAndSet("", message);
        return new CommunicatorException(failure.get(), cause);
    }

    /** Passes on success of a call; on the device's thread, right after it. */
    void require(int code, HcclCall call) {
        if (code != HcclResult.SUCCESS) {
            String said = device.health().recentMessage();
            throw fail(subject(call) + ": HCCL refused it: " + HcclResult.describe(code)
                    + (said.isEmpty() ? "" : ": " + said));
        }
    }

    /** The library reports a failure of the communicator while the call runs. */
    CommunicatorException broken(HcclCall call, int code) {
        return fail(subject(call) + ": HCCL gave it up: " + HcclResult.name(code) + executing());
    }

    /** The stream ended with an error while the call ran. */
    CommunicatorException failedWith(HcclCall call, Throwable cause) {
        return fail(subject(call) + ": " + cause.getMessage() + executing(), cause);
    }

    private static String executing() {
        return "; look at the first message of the other ranks and whether their processes run; a rank that does not come"
                + " within HCCL_EXEC_TIMEOUT seconds (1836 unless set) ends a collective like this";
    }

    void requireTime(HcclCall call, long waitedNanos) {
        if (waitedNanos >= deadline.toNanos()) {
            throw late(call, waitedNanos);
        }
    }

    CommunicatorException late(HcclCall call, long waitedNanos) {
        return fail(String.format(
                "%s: not done after %.1f s; HCCL does not tell which rank did not answer: look for the one that wrote"
                        + " no line or another one, and at the links between the devices; raise the limit with"
                        + " --ranks-deadline SECONDS, below HCCL_EXEC_TIMEOUT",
                subject(call), waitedNanos / NANOS));
    }

    long patienceMillis() {
        return hasFailed() ? FAILED_MILLIS : deadline.toMillis();
    }

    private String subject(HcclCall call) {
        return "rank " + rank + " of " + size + " on " + device.info().id() + ": " + call;
    }
}
