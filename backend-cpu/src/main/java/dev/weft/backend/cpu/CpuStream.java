package dev.weft.backend.cpu;

import dev.weft.ClosedException;
import dev.weft.DeviceLostException;
import dev.weft.WeftException;
import dev.weft.spi.Capturing;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A queue that runs when somebody waits for it, on the waiting thread: in {@link #synchronize}, or when one of its events
 * is asked or waited for. Consecutive native commands run by one native call.
 *
 * <p>Arguments and copy sources are read when the queue runs, not when they are appended: they must stay open and
 * unchanged until then. A failing item ends its run; what was queued behind it is dropped, and events behind it fail with
 * it. {@link #close} waits for a run and drops what is queued.
 *
 * <p>A stream that is only ever {@linkplain #replay replayed} is a capture: its queue stays and runs as one item of
 * another stream. Neither appending nor replaying allocates once the queue has been as long before.
 */
final class CpuStream implements DeviceStream {
    private final String subject;
    private final Consumer<CpuStream> onClose;
    private final ReentrantLock lock = new ReentrantLock();
    private final WorkList work = new WorkList();
    private boolean closed;

    /** Items before those in {@link #work} since the beginning: run, failed or dropped. */
    private long passed;

    /** Items in ({@code failedAfter}, {@code failedTo}] failed or were dropped in the last failing run. */
    private long failedAfter;

    private long failedTo;
    private @Nullable RuntimeException failure;

    CpuStream(String subject, Consumer<CpuStream> onClose) {
        this.subject = subject;
        this.onClose = onClose;
    }

    /** A stream that holds the given calls, for {@link #replay}. */
    static CpuStream capture(String subject, List<Capturing.Call> calls) {
        CpuStream captured = new CpuStream(subject, stream -> {});
        try {
            calls.forEach(call -> call.kernel().enqueue(captured, call.arguments()));
            return captured;
        } catch (RuntimeException | Error e) {
            captured.close();
            throw e;
        }
    }

    /** The CPU stream behind {@code stream}. @throws WeftException if it belongs to another backend */
    static CpuStream of(DeviceStream stream) {
        if (stream instanceof CpuStream cpu) {
            return cpu;
        }
        throw new WeftException(
                "cpu kernel: found a stream of " + stream.getClass().getName() + ", expected one of a cpu device");
    }

    /** Appends a native command. */
    void append(NativeKernels kernels, Encoding encoding, KernelArguments arguments) {
        open();
        try {
            work.add(kernels, encoding, arguments);
        } finally {
            lock.unlock();
        }
    }

    /** Appends a Java kernel. */
    void append(JavaKernel kernel, KernelArguments arguments) {
        open();
        try {
            work.add(kernel, arguments);
        } finally {
            lock.unlock();
        }
    }

    /** Appends a run of all that {@code captured} holds then. */
    void append(CpuStream captured) {
        open();
        try {
            work.add(captured);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void copyIn(MemorySegment source, long target) {
        open();
        try {
            work.copyIn(source, target);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void copyOut(long source, MemorySegment target) {
        open();
        try {
            work.copyOut(source, target);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void copy(long source, long sourcePitch, long target, long targetPitch, long bytes, long rows) {
        open();
        try {
            work.copy(source, sourcePitch, target, targetPitch, bytes, rows);
        } finally {
            lock.unlock();
        }
    }

    /** Runs what is queued and keeps it. */
    void replay() {
        open();
        try {
            work.run();
        } finally {
            lock.unlock();
        }
    }

    /** Takes the lock of an open stream. */
    private void open() {
        lock.lock();
        try {
            requireOpen();
        } catch (ClosedException e) {
            lock.unlock();
            throw e;
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new ClosedException(subject + ": used after close");
        }
    }

    @Override
    public Event record() {
        open();
        try {
            return new Mark(this, passed + work.size());
        } finally {
            lock.unlock();
        }
    }

    /** Runs the other stream up to here and beyond; afterwards there is nothing left to wait for. */
    @Override
    public void waitFor(Event event) {
        open();
        lock.unlock();
        if (!(event instanceof Mark mark)) {
            throw new WeftException(subject + ": waits for an event of "
                    + event.getClass().getName() + ", expected one of a cpu stream");
        }
        if (mark.stream != this) {
            mark.synchronize();
        }
    }

    @Override
    public void synchronize() {
        open();
        try {
            run();
        } finally {
            lock.unlock();
        }
    }

    private void run() {
        try {
            work.run();
        } catch (RuntimeException e) {
            fail(e);
            throw e;
        } catch (Error e) {
            fail(new DeviceLostException(subject + ": " + e, e));
            throw e;
        } finally {
            empty();
        }
    }

    private void fail(RuntimeException e) {
        failedAfter = passed + work.done();
        failedTo = passed + work.size();
        failure = e;
    }

    private void empty() {
        passed += work.size();
        work.clear();
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            if (work.size() > 0) {
                fail(new ClosedException(subject + ": closed before its last " + work.size() + " items ran"));
            }
            empty();
            work.close();
        } finally {
            lock.unlock();
        }
        onClose.accept(this);
    }

    @Override
    public String toString() {
        return subject;
    }

    /** A point after {@code position} items of a stream. */
    private static final class Mark implements Event {
        private final CpuStream stream;
        private final long position;

        Mark(CpuStream stream, long position) {
            this.stream = stream;
            this.position = position;
        }

        /** Runs what is queued, since nobody else might: a caller that polls would never see it done. */
        @Override
        public boolean isDone() {
            synchronize();
            return true;
        }

        @Override
        public void synchronize() {
            stream.reach(position);
        }
    }

    private void reach(long position) {
        lock.lock();
        try {
            if (passed < position) {
                run();
            } else if (failure != null && position > failedAfter && position <= failedTo) {
                throw failure;
            }
        } finally {
            lock.unlock();
        }
    }
}
