package dev.weft.conformance.toy;

import dev.weft.ClosedException;
import dev.weft.spi.DeviceStream;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/** A thread that does a queue of work in order, each piece after a small random delay. */
final class ToyStream implements DeviceStream {
    private static final AtomicLong NUMBERS = new AtomicLong();
    private static final long LONGEST_WAIT_SECONDS = 60;

    /** @param evenIfLost whether to run it on a lost device: marks must be passed, or waiters would hang */
    private record Task(String what, boolean evenIfLost, Runnable body) {}

    private final ToyDevice device;
    private final int maxDelayMicros;
    private final Consumer<ToyStream> onClose;
    private final long number = NUMBERS.incrementAndGet();
    private final BlockingQueue<Task> queue = new LinkedBlockingQueue<>();
    private final AtomicBoolean closed = new AtomicBoolean();
    private final Thread worker;

    ToyStream(ToyDevice device, int maxDelayMicros, Consumer<ToyStream> onClose) {
        this.device = device;
        this.maxDelayMicros = maxDelayMicros;
        this.onClose = onClose;
        this.worker = Thread.ofPlatform().daemon().name(toString()).start(this::work);
    }

    private void work() {
        SplittableRandom random = new SplittableRandom(number);
        boolean interrupted = false;
        while (true) {
            try {
                Task task = queue.take();
                if (task.body() == null) {
                    break;
                }
                if (maxDelayMicros > 0) {
                    LockSupport.parkNanos(1000L * random.nextInt(maxDelayMicros));
                }
                perform(task);
            } catch (InterruptedException e) {
                interrupted = true; // a stream ends by its last task only
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void perform(Task task) {
        if (device.isLost() && !task.evenIfLost()) {
            return;
        }
        try {
            task.body().run();
        } catch (Throwable t) {
            device.lose(task.what(), t);
        }
    }

    private void append(String what, boolean evenIfLost, Runnable body) {
        if (closed.get()) {
            throw new ClosedException(this + ": used after close");
        }
        device.check();
        queue.add(new Task(what, evenIfLost, body));
    }

    /** Appends a kernel. */
    void launch(String kernel, Runnable body) {
        append("kernel " + kernel, false, body);
    }

    ToyDevice device() {
        return device;
    }

    @Override
    public void copyIn(MemorySegment source, long target) {
        MemorySegment bytes = fromAnyThread(source);
        device.countCopyIn();
        append(
                "copy in",
                false,
                () -> device.memory().bytes(target, bytes.byteSize()).copyFrom(bytes));
    }

    @Override
    public void copyOut(long source, MemorySegment target) {
        MemorySegment bytes = fromAnyThread(target);
        append("copy out", false, () -> bytes.copyFrom(device.memory().bytes(source, bytes.byteSize())));
    }

    @Override
    public void copy(long source, long sourcePitch, long target, long targetPitch, long bytes, long rows) {
        append("copy", false, () -> {
            for (long i = 0; i < rows; i++) {
                MemorySegment from = device.memory().bytes(source + i * sourcePitch, bytes);
                device.memory().bytes(target + i * targetPitch, bytes).copyFrom(from);
            }
        });
    }

    /** Streams take segments of confined arenas, as a driver does that sees the address only. */
    private static MemorySegment fromAnyThread(MemorySegment s) {
        return s.isNative() ? MemorySegment.ofAddress(s.address()).reinterpret(s.byteSize()) : s;
    }

    @Override
    public Event record() {
        Mark mark = new Mark(device);
        append("event", true, mark::pass);
        return mark;
    }

    @Override
    public void waitFor(Event event) {
        if (!(event instanceof Mark mark) || mark.device != device) {
            throw new ToyAccessException(this + ": waits for an event of another device");
        }
        append("wait", false, mark::await);
    }

    @Override
    public void synchronize() {
        record().synchronize();
    }

    /** Does what is queued, then ends the thread. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        queue.add(new Task("end", true, null));
        boolean interrupted = false;
        while (worker.isAlive()) {
            try {
                worker.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        onClose.accept(this);
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public String toString() {
        return device.info().id() + " stream " + number;
    }

    /** A point in a stream; passing it on a lost device is a failure for whoever waits. */
    private static final class Mark implements Event {
        private final ToyDevice device;
        private final CompletableFuture<Void> passed = new CompletableFuture<>();

        Mark(ToyDevice device) {
            this.device = device;
        }

        void pass() {
            passed.complete(null);
        }

        void await() {
            try {
                passed.get(LONGEST_WAIT_SECONDS, TimeUnit.SECONDS);
            } catch (TimeoutException e) {
                device.lose("event", new IllegalStateException("not passed in " + LONGEST_WAIT_SECONDS + " s", e));
            } catch (InterruptedException | ExecutionException e) {
                Thread.currentThread().interrupt();
                throw new dev.weft.CancelledException(
                        "interrupted while waiting for " + device.info().id(), e);
            }
        }

        @Override
        public boolean isDone() {
            return passed.isDone();
        }

        @Override
        public void synchronize() {
            await();
            device.check();
        }
    }
}
