package dev.weft.backend.ascend;

import dev.weft.ClosedException;
import dev.weft.WeftException;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.support.PinnedPool;
import dev.weft.spi.support.Staging;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A CANN stream. All work goes to the device's thread in the order of the calls. Copies go through pinned memory: data in
 * is read when it is enqueued, data out is delivered by whoever waits until the stream has passed it.
 *
 * <p>Waiting is done in slices, so that the device's thread serves other streams meanwhile, and ends with the loss of the
 * device when nothing has finished for {@link AscendOptions#timeoutSeconds}.
 */
final class AscendStream implements DeviceStream {
    /** {@code ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC}. */
    private static final int FLAGS = 3;

    /** How long one wait may keep the device's thread. */
    private static final int SLICE_MILLIS = 500;

    /** How long a lost device may take to drop its work. */
    private static final int LOST_MILLIS = 1000;

    /** Copies wait for the stream when so much pinned memory is under way. */
    private static final long MOST_STAGING = 16 * PinnedPool.CHUNK;

    private static final int HOST_TO_DEVICE = 1;
    private static final int DEVICE_TO_HOST = 2;
    private static final int DEVICE_TO_DEVICE = 3;

    /** {@code ACL_EVENT_RECORDED_STATUS_COMPLETE}. */
    private static final int EVENT_COMPLETE = 1;

    private final AscendDevice device;
    private final String subject;
    private final MemorySegment handle;
    private final Staging staging;
    private final Workspace workspace;
    private final List<Delivery> deliveries = new ArrayList<>();
    private final Deque<Mark> marks = new ArrayDeque<>();
    private final Deque<Shared> shared = new ArrayDeque<>();
    private final OperatorLog operators = new OperatorLog();

    /** Work items appended so far, and how many of them the stream is known to have passed. */
    private long appended;

    private volatile long passed;
    private boolean closed;

    /** Bytes that have arrived, or will, in pinned memory, and where they belong. */
    private record Delivery(long position, MemorySegment staged, MemorySegment target) {}

    /** Work that other devices take part in. */
    private record Shared(long position, SharedWork work) {}

    /** Creates the stream; on the device's thread. */
    AscendStream(AscendDevice device, String subject) {
        this.device = device;
        this.subject = subject;
        this.staging = new Staging(device.pinned());
        this.workspace = new Workspace(device.memory());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            int code = device.acl().aclrtCreateStreamWithConfig(out, 0, FLAGS);
            device.health().require(code, "aclrtCreateStreamWithConfig");
            this.handle = out.get(ValueLayout.ADDRESS, 0);
        }
    }

    /** The stream behind {@code stream}. @throws WeftException if it belongs to another device */
    static AscendStream of(DeviceStream stream, AscendDevice device) {
        if (stream instanceof AscendStream s && s.device == device) {
            return s;
        }
        String found =
                stream instanceof AscendStream s ? s.subject : stream.getClass().getName();
        throw new WeftException("device " + device.info().id() + ": found " + found + ", expected a stream of its own");
    }

    MemorySegment handle() {
        return handle;
    }

    /** Memory for the operators' own workspaces; one operator runs after another, so they share it. */
    Workspace workspace() {
        return workspace;
    }

    /** What has been launched, for messages. */
    OperatorLog operators() {
        return operators;
    }

    /** Runs {@code body}, which appends to the stream, on the device's thread. */
    void append(Runnable body) {
        device.run(() -> appendHere(body));
    }

    private void appendHere(Runnable body) {
        requireOpen();
        body.run();
        appended++;
    }

    /**
     * As {@link #append(Runnable)}, for work that other devices take part in: a library may wait for them already here.
     *
     * @throws TimeoutException if that took too long
     */
    void append(SharedWork work, Duration limit, Runnable body) throws TimeoutException {
        device.callWithin(limit, () -> {
            appendHere(body);
            return shared.add(new Shared(appended, work));
        });
    }

    private void requireOpen() {
        if (closed) {
            throw new ClosedException(subject + ": used after close");
        }
    }

    @Override
    public void copyIn(MemorySegment source, long target) {
        device.whileOpen(() -> copyInPieces(source, target));
    }

    private void copyInPieces(MemorySegment source, long target) {
        for (long at = 0; at < source.byteSize(); ) {
            long bytes = Math.min(PinnedPool.CHUNK, source.byteSize() - at);
            MemorySegment piece = piece(bytes);
            MemorySegment.copy(source, at, piece, 0, bytes);
            MemorySegment to = MemorySegment.ofAddress(target + at);
            append(() -> copyAsync(to, piece, bytes, HOST_TO_DEVICE));
            at += bytes;
        }
    }

    @Override
    public void copyOut(long source, MemorySegment target) {
        device.whileOpen(() -> copyOutPieces(source, target));
    }

    private void copyOutPieces(long source, MemorySegment target) {
        MemorySegment reachable = fromAnyThread(target);
        for (long at = 0; at < target.byteSize(); ) {
            long bytes = Math.min(PinnedPool.CHUNK, target.byteSize() - at);
            MemorySegment piece = piece(bytes);
            MemorySegment from = MemorySegment.ofAddress(source + at);
            append(() -> copyAsync(piece, from, bytes, DEVICE_TO_HOST));
            deliveries.add(new Delivery(appended, piece, reachable.asSlice(at, bytes)));
            at += bytes;
        }
    }

    /** CANN copies rectangles between host and device only, so pieces that lie apart are copied one by one. */
    @Override
    public void copy(long source, long sourcePitch, long target, long targetPitch, long bytes, long rows) {
        if (bytes == 0 || rows == 0) {
            return;
        }
        boolean dense = sourcePitch == bytes && targetPitch == bytes;
        append(() -> {
            for (long i = 0; i < (dense ? 1 : rows); i++) {
                MemorySegment from = MemorySegment.ofAddress(source + i * sourcePitch);
                MemorySegment to = MemorySegment.ofAddress(target + i * targetPitch);
                copyAsync(to, from, dense ? rows * bytes : bytes, DEVICE_TO_DEVICE);
            }
        });
    }

    private MemorySegment piece(long bytes) {
        if (staging.bytes() >= MOST_STAGING) {
            drain();
        }
        return staging.piece(bytes);
    }

    private void copyAsync(MemorySegment to, MemorySegment from, long bytes, int kind) {
        int code = device.acl().aclrtMemcpyAsync(to, bytes, from, bytes, kind, handle);
        device.health().require(code, "aclrtMemcpyAsync(" + bytes + " bytes)");
    }

    /** Data is delivered by the thread that waits, which need not be the one whose arena it is. */
    private static MemorySegment fromAnyThread(MemorySegment s) {
        return s.isNative() ? MemorySegment.ofAddress(s.address()).reinterpret(s.byteSize()) : s;
    }

    @Override
    public Event record() {
        return device.call(() -> {
            requireOpen();
            MemorySegment event = device.events().take();
            int code = device.acl().aclrtRecordEvent(event, handle);
            if (code != AclErrors.OK) {
                WeftException failure = device.health().failure(code, "aclrtRecordEvent");
                device.events().give(event);
                throw failure;
            }
            Mark mark = new Mark(event, ++appended);
            marks.add(mark);
            return mark;
        });
    }

    @Override
    public void waitFor(Event event) {
        if (!(event instanceof Mark mark) || mark.stream().device != device) {
            throw new WeftException(subject + ": waits for an event of "
                    + event.getClass().getName() + ", expected one of a stream of this device");
        }
        append(() -> {
            if (mark.event != null) {
                int code = device.acl().aclrtStreamWaitEvent(handle, mark.event);
                device.health().require(code, "aclrtStreamWaitEvent");
            }
        });
    }

    @Override
    public void synchronize() {
        device.whileOpen(this::drain);
    }

    private void drain() {
        long position = appended;
        try {
            await("aclrtSynchronizeStreamWithTimeout", () -> {
                requireOpen();
                return device.acl().aclrtSynchronizeStreamWithTimeout(handle, SLICE_MILLIS);
            });
        } catch (RuntimeException | Error e) {
            deliveries.clear(); // whoever hears of the failure may give up their targets
            throw e;
        }
        pass(position);
        if (passed == appended) {
            staging.reset();
        }
    }

    /** Whether all appended work is known to be done. */
    boolean isIdle() {
        return passed == appended;
    }

    /** Whether something may still run. */
    boolean hasWork() {
        return !closed && !isIdle();
    }

    /** One wait of at most a slice; returns CANN's code. */
    private interface Wait {
        int slice();
    }

    private void await(String function, Wait wait) {
        long start = System.nanoTime();
        boolean done = false;
        while (!done) {
            done = device.call(() -> {
                int code = wait.slice();
                if (code == AclErrors.SYNC_TIMEOUT) {
                    device.health().recentMessage(); // read to clear: it is no failure yet
                    long waited = System.nanoTime() - start;
                    shared.forEach(s -> s.work().check(waited));
                    if (shared.isEmpty()) { // else their deadline counts
                        requireTime(function, start);
                    }
                    return false;
                }
                if (code != AclErrors.OK && !shared.isEmpty()) {
                    WeftException cause = device.health().failure(code, function + operators.describe());
                    throw shared.getFirst().work().failedWith(cause);
                }
                device.health().require(code, function + operators.describe());
                return true;
            });
        }
    }

    private void requireTime(String function, long start) {
        long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start);
        if (seconds >= device.options().timeoutSeconds()) {
            throw device.health()
                    .lose(function + operators.describe() + ": nothing came within " + seconds + " s; raise -D"
                            + AscendOptions.TIMEOUT + " if a step may take that long");
        }
    }

    /** Everything up to {@code position} is done: delivers its data, recycles its events. */
    private void pass(long position) {
        passed = Math.max(passed, position);
        while (!deliveries.isEmpty() && deliveries.getFirst().position() <= passed) {
            Delivery d = deliveries.removeFirst();
            MemorySegment.copy(d.staged(), 0, d.target(), 0, d.target().byteSize());
        }
        if (passed == appended) {
            operators.clear();
            workspace.trim();
        }
        if (!marks.isEmpty() || !shared.isEmpty()) {
            device.run(() -> recycle(passed));
        }
    }

    private void recycle(long position) {
        while (!shared.isEmpty() && shared.getFirst().position() <= position) {
            shared.removeFirst();
        }
        while (!marks.isEmpty() && marks.getFirst().position <= position) {
            Mark mark = marks.removeFirst();
            MemorySegment event = mark.event;
            mark.event = null;
            if (event != null) {
                device.events().give(event);
            }
        }
    }

    /**
     * Waits without failing: what comes afterwards only frees. A lost device is given a moment, work with other devices what
     * it has. Device's thread. Returns whether the work has ended.
     */
    boolean settle() {
        if (closed || isIdle()) {
            return true;
        }
        boolean lost = device.health().isLost();
        long millis = lost
                ? LOST_MILLIS
                : shared.stream()
                        .mapToLong(s -> s.work().patienceMillis())
                        .min()
                        .orElse(TimeUnit.SECONDS.toMillis(device.options().timeoutSeconds()));
        int code = device.acl().aclrtSynchronizeStreamWithTimeout(handle, (int) Math.min(millis, Integer.MAX_VALUE));
        if (code != AclErrors.OK && !lost) {
            device.health().failure(code, "aclrtSynchronizeStreamWithTimeout" + operators.describe());
        }
        return code != AclErrors.SYNC_TIMEOUT;
    }

    /**
     * Looks whether a failed call failed because earlier work has ended the context: operators answer that like any other
     * failure. On the device's thread.
     *
     * @throws dev.weft.DeviceLostException if so
     */
    void requireAlive() {
        try (Arena arena = Arena.ofConfined()) {
            int code = device.acl().aclrtStreamQuery(handle, arena.allocate(ValueLayout.JAVA_INT));
            if (AclErrors.kind(code) == AclErrors.Kind.LOST) {
                throw device.health().failure(code, "work" + operators.describe());
            }
        }
    }

    @Override
    public void close() {
        device.whileAlive(this::closeHere);
    }

    /** Ends the stream after its work; on the device's thread. */
    void closeHere() {
        if (closed) {
            return;
        }
        if (!settle() && !shared.isEmpty()) {
            // its tasks wait for devices that will not come
            device.health().note(device.acl().aclrtStreamAbort(handle), "aclrtStreamAbort");
        }
        closed = true;
        recycle(Long.MAX_VALUE);
        device.health().note(device.acl().aclrtDestroyStream(handle), "aclrtDestroyStream");
        staging.close();
        workspace.close();
        device.forget(this);
    }

    @Override
    public String toString() {
        return subject;
    }

    /** A point in the stream; its CANN event goes back to the pool once the point is passed. */
    private final class Mark implements Event {
        private final long position;
        private volatile @Nullable MemorySegment event;

        Mark(MemorySegment event, long position) {
            this.event = event;
            this.position = position;
        }

        AscendStream stream() {
            return AscendStream.this;
        }

        @Override
        public boolean isDone() {
            boolean done = device.call(this::query);
            if (done) {
                device.whileOpen(() -> pass(position));
            }
            return done;
        }

        private boolean query() {
            MemorySegment e = event;
            if (e == null) {
                return true;
            }
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment out = arena.allocate(ValueLayout.JAVA_INT);
                device.health().require(device.acl().aclrtQueryEventStatus(e, out), "aclrtQueryEventStatus");
                return out.get(ValueLayout.JAVA_INT, 0) == EVENT_COMPLETE;
            }
        }

        @Override
        public void synchronize() {
            device.whileOpen(this::await);
        }

        private void await() {
            AscendStream.this.await("aclrtSynchronizeEventWithTimeout", () -> {
                MemorySegment e = event;
                return e == null ? AclErrors.OK : device.acl().aclrtSynchronizeEventWithTimeout(e, SLICE_MILLIS);
            });
            pass(position);
        }
    }
}
