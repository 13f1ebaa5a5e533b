package dev.weft.backend.cpu;

import dev.weft.ClosedException;
import dev.weft.DeviceLostException;
import dev.weft.WeftException;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
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
 * <p>Appending reuses the queue's entries: a step like the one before allocates nothing.
 */
final class CpuStream implements DeviceStream {
    /** All of memory; addresses on this device are host addresses. */
    private static final MemorySegment MEMORY = HostMemory.segment(0, Long.MAX_VALUE);

    private final String subject;
    private final Consumer<CpuStream> onClose;
    private final ReentrantLock lock = new ReentrantLock();
    private final CommandList commands = new CommandList();
    private final List<Item> items = new ArrayList<>();
    private int queued;
    private boolean closed;

    /** Items appended since the beginning. */
    private long appended;
    /** Items passed since the beginning, failed and dropped ones included. */
    private long passed;

    /** Items in ({@code failedAfter}, {@code failedTo}] failed or were dropped in the last failing run. */
    private long failedAfter;

    private long failedTo;
    private @Nullable RuntimeException failure;

    CpuStream(String subject, Consumer<CpuStream> onClose) {
        this.subject = subject;
        this.onClose = onClose;
    }

    private enum Kind {
        NATIVE,
        JAVA,
        COPY_IN,
        COPY_OUT
    }

    /** A place in the queue, used again and again. */
    private static final class Item {
        private Kind kind = Kind.JAVA;
        private @Nullable NativeKernels kernels;
        private @Nullable JavaKernel kernel;
        private @Nullable KernelArguments arguments;
        private @Nullable MemorySegment host;
        private long device;
        private long firstCommand;
        private long commandCount;

        void run(CommandList commands) {
            switch (kind) {
                case NATIVE -> kernels.run(commands.from(firstCommand), commandCount);
                case JAVA -> kernel.body().accept(arguments);
                case COPY_IN -> MemorySegment.copy(reachable(host), 0, MEMORY, device, host.byteSize());
                case COPY_OUT -> MemorySegment.copy(MEMORY, device, reachable(host), 0, host.byteSize());
            }
        }

        /** A segment of a confined arena is copied by address if another thread runs the queue. */
        private static MemorySegment reachable(MemorySegment host) {
            if (host.isAccessibleBy(Thread.currentThread())) {
                return host;
            }
            if (!host.scope().isAlive()) {
                throw new ClosedException("copy of " + host.byteSize() + " bytes: the host memory was closed before the"
                        + " stream ran; keep it open until synchronize");
            }
            return HostMemory.segment(host.address(), host.byteSize());
        }

        void clear() {
            kernels = null;
            kernel = null;
            arguments = null;
            host = null;
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
        lock.lock();
        try {
            Item last = queued == 0 ? null : items.get(queued - 1);
            if (last == null || last.kind != Kind.NATIVE || last.kernels != kernels) {
                last = next(Kind.NATIVE);
                last.kernels = kernels;
                last.firstCommand = commands.size();
                last.commandCount = 0;
            }
            last.commandCount++;
            commands.add(
                    encoding.opcode(),
                    encoding.attributes().address(),
                    arguments.words().address(),
                    arguments.workspace());
        } finally {
            lock.unlock();
        }
    }

    /** Appends a Java kernel. */
    void append(JavaKernel kernel, KernelArguments arguments) {
        lock.lock();
        try {
            Item item = next(Kind.JAVA);
            item.kernel = kernel;
            item.arguments = arguments;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void copyIn(MemorySegment source, long target) {
        copy(Kind.COPY_IN, source, target);
    }

    @Override
    public void copyOut(long source, MemorySegment target) {
        copy(Kind.COPY_OUT, target, source);
    }

    private void copy(Kind kind, MemorySegment host, long device) {
        lock.lock();
        try {
            Item item = next(kind);
            item.host = host;
            item.device = device;
        } finally {
            lock.unlock();
        }
    }

    private Item next(Kind kind) {
        requireOpen();
        if (queued == items.size()) {
            items.add(new Item());
        }
        Item item = items.get(queued++);
        item.kind = kind;
        appended++;
        return item;
    }

    private void requireOpen() {
        if (closed) {
            throw new ClosedException(subject + ": used after close");
        }
    }

    @Override
    public Event record() {
        lock.lock();
        try {
            requireOpen();
            return new Mark(this, appended);
        } finally {
            lock.unlock();
        }
    }

    /** Runs the other stream up to here and beyond; afterwards there is nothing left to wait for. */
    @Override
    public void waitFor(Event event) {
        lock.lock();
        try {
            requireOpen();
        } finally {
            lock.unlock();
        }
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
        lock.lock();
        try {
            requireOpen();
            run();
        } finally {
            lock.unlock();
        }
    }

    private void run() {
        long before = passed;
        try {
            for (int i = 0; i < queued; i++) {
                items.get(i).run(commands);
                passed = before + i + 1;
            }
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
        failedAfter = passed;
        failedTo = appended;
        failure = e;
    }

    private void empty() {
        for (int i = 0; i < queued; i++) {
            items.get(i).clear();
        }
        queued = 0;
        commands.clear();
        passed = appended;
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            if (queued > 0) {
                fail(new ClosedException(subject + ": closed before its last " + queued + " items ran"));
            }
            empty();
            commands.close();
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
