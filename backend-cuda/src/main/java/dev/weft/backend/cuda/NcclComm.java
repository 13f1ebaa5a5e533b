package dev.weft.backend.cuda;

import dev.weft.CommunicatorException;
import dev.weft.WeftException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A communicator of NCCL that does not block: what it is given is begun, and looked after until it is done, has failed, or
 * its time is over. With a failure of any group of its world it ends, which frees the streams that wait for it.
 */
final class NcclComm {
    private static final Logger LOG = LoggerFactory.getLogger(NcclComm.class);
    private static final double NANOS = 1e9;
    private static final long NAP_NANOS = 20_000;

    private final NcclWorld world;
    private final CudaDevice device;
    private final NcclLibrary library;
    private final MemorySegment out = Arena.ofAuto().allocate(8, 8);
    private long handle;
    private volatile boolean ended = true;

    /**
     * A call of the group, for messages.
     *
     * @param text what is done, as {@code allGather 'embed' of group world, call 7}; a graph repeats the call of its recording
     * @param step that it is part of
     * @param bytes what this rank sends
     * @param start of its time, {@link System#nanoTime}
     */
    record Call(String text, long step, long bytes, long start) {
        Call(String text, long step, long bytes) {
            this(text, step, bytes, System.nanoTime());
        }

        long nanos() {
            return System.nanoTime() - start;
        }
    }

    NcclComm(NcclWorld world) {
        this.world = world;
        this.device = world.device();
        this.library = world.library();
    }

    /** Meets the other ranks. @param id the same on all of them */
    void join(Call call, int size, byte[] id, int rank) {
        int code = device.call(() -> {
            int answer = library.initRank(out, size, id, rank);
            if (!isFailure(answer)) {
                handle = out.get(ValueLayout.JAVA_LONG, 0);
                ended = false;
                world.add(this);
            }
            return answer;
        });
        require(call, "ncclCommInitRankConfig", code);
        await(call);
    }

    long handle() {
        return handle;
    }

    static boolean isFailure(int code) {
        return code != NcclLibrary.OK && code != NcclLibrary.IN_PROGRESS;
    }

    private void require(Call call, String function, int code) {
        if (isFailure(code)) {
            throw failed(call, library.describe(function, code));
        }
    }

    /**
     * Puts calls of NCCL on a stream, as one group.
     *
     * @param calls made on the device's thread; answers with the first code that is not success
     */
    void enqueue(CudaStream stream, Call call, IntSupplier calls) {
        world.requireWhole();
        require(call, "a call of NCCL", stream.flushThen(() -> grouped(calls)));
        await(call); // NCCL puts its work on the stream by a thread of its own, so nothing may follow before
        stream.watch(() -> {
            world.requireWhole();
            Call run = new Call(call.text(), world.step(), call.bytes());
            return isPast -> check(run, isPast);
        });
    }

    private int grouped(IntSupplier calls) {
        int start = library.nccl().ncclGroupStart();
        if (start != NcclLibrary.OK) {
            return start;
        }
        int code;
        int end;
        try {
            code = calls.getAsInt();
        } finally {
            end = library.nccl().ncclGroupEnd(); // an open group would take in what the device's thread calls next
        }
        return isFailure(code) ? code : end;
    }

    /** Waits until NCCL has begun what it was given. */
    private void await(Call call) {
        while (!device.call(() -> isReady(call))) {
            LockSupport.parkNanos(NAP_NANOS);
        }
    }

    /** What happens to work on a stream. On the device's thread, or behind the work. */
    private void check(Call call, boolean isPast) {
        world.requireWhole(); // a stream passes what was ended, too
        if (!isPast) {
            isReady(call);
        }
    }

    /** On the device's thread. @throws CommunicatorException if something has failed or the call takes too long */
    private boolean isReady(Call call) {
        world.requireWhole();
        require(call, "ncclCommGetAsyncError", library.nccl().ncclCommGetAsyncError(handle, out));
        int code = out.get(ValueLayout.JAVA_INT, 0);
        require(call, "NCCL", code);
        if (call.nanos() > world.deadline().toNanos()) {
            throw world.fail(String.format(
                    "%s: not done after %.1f s; which rank did not answer NCCL does not tell; see what ended or holds"
                            + " the others, and the network between the hosts; raise the limit with --ranks-deadline"
                            + " SECONDS or -Dweft.ranks.deadline=SECONDS",
                    subject(call), call.nanos() / NANOS));
        }
        return code == NcclLibrary.OK;
    }

    private String subject(Call call) {
        return world.subject() + ": " + call.text() + " in step " + call.step() + " (" + call.bytes() + " bytes, "
                + library.versionText() + ")";
    }

    /** Ends all groups. Returns the exception to throw. */
    CommunicatorException failed(Call call, String found) {
        return world.fail(subject(call) + ": " + found
                + "; look at the first message of the other ranks, and set NCCL_DEBUG=WARN to hear more");
    }

    /** The world ends the communicator. Returns NCCL's answer; while the device's thread waits or calls. */
    int abortHere() {
        ended = true;
        world.remove(this);
        return library.nccl().ncclCommAbort(handle);
    }

    /**
     * Leaves the group together with the others, since what this rank has sent may still be under way; without them when the
     * deadline has passed. Never throws. On the device's thread.
     */
    void leaveHere(Call call) {
        if (ended || device.health().isStuck()) {
            return;
        }
        try {
            device.health().check();
            device.dropSharedGraphs();
            require(call, "ncclCommFinalize", library.nccl().ncclCommFinalize(handle));
            while (!isReady(call)) {
                LockSupport.parkNanos(NAP_NANOS);
            }
            ended = true;
            world.remove(this);
            require(call, "ncclCommDestroy", library.nccl().ncclCommDestroy(handle));
        } catch (WeftException e) {
            LOG.error("{}", e.getMessage());
            world.fail(e.getMessage());
        }
    }
}
