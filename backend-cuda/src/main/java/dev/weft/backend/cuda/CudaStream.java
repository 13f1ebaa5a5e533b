package dev.weft.backend.cuda;

import dev.weft.ClosedException;
import dev.weft.WeftException;
import dev.weft.backend.cuda.kernel.StreamCall;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.HostCopy;
import dev.weft.spi.support.PinnedPool;
import dev.weft.spi.support.Staging;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A CUDA stream. What is enqueued is collected and handed to the device's thread at once, when somebody waits or records
 * an event, or when much has come together: a step costs one change of threads, not one per command. Copies go through
 * pinned memory: data in is read when it is enqueued, data out is delivered by whoever waits until the stream has passed it.
 */
final class CudaStream implements DeviceStream, Emission.Sink {
    /** Commands handed over at once. Each may be a launch, whose parameter has a place in {@link #calls}. */
    private static final int MOST_COMMANDS = 256;

    /** Bytes of copies handed over at once, so that the device copies while the next bytes are fetched. */
    private static final long MOST_COPY_BYTES = PinnedPool.CHUNK;

    /** Copies wait for the stream when so much pinned memory is under way. */
    private static final long MOST_STAGING = 16 * PinnedPool.CHUNK;

    private final CudaDevice device;
    private final String subject;
    private final long handle;
    private final Staging staging;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment calls = arena.allocate(MOST_COMMANDS * CallLayout.BYTES, 64);
    private long callBytes;
    private final List<Runnable> commands = new ArrayList<>();
    private final List<Delivery> deliveries = new ArrayList<>();
    private final Deque<Mark> marks = new ArrayDeque<>();
    private final Watches watches = new Watches();
    private final DeviceBuffer counters;

    /** Commands enqueued so far, how many of them the driver has, and how many the stream is known to have passed. */
    private long enqueued;

    private long submitted;
    private volatile long passed;
    private long copyBytes;
    private volatile boolean closed;
    private @Nullable List<Watches.Watched> recording;

    /** Bytes that have arrived, or will, in pinned memory, and where they belong. */
    private record Delivery(long position, MemorySegment staged, MemorySegment target) {}

    /** Creates the stream; on the device's thread. */
    CudaStream(CudaDevice device, String subject) {
        this.device = device;
        this.subject = subject;
        this.staging = new Staging(device.pinned());
        DeviceBuffer made = null;
        try {
            made = device.counters().take();
            this.handle = device.context().createStream();
            this.counters = made;
        } catch (RuntimeException | Error e) {
            if (made != null) {
                device.counters().give(made);
            }
            arena.close();
            throw e;
        }
        add(() -> device.context().zero(counters.address(), counters.bytes(), handle));
    }

    /** The stream behind {@code stream}. @throws WeftException if it belongs to another device */
    static CudaStream of(DeviceStream stream, CudaDevice device) {
        if (stream instanceof CudaStream s && s.device == device) {
            return s;
        }
        String found =
                stream instanceof CudaStream s ? s.subject : stream.getClass().getName();
        throw new WeftException("device " + device.info().id() + ": found " + found + ", expected a stream of its own");
    }

    long handle() {
        return handle;
    }

    private void requireOpen() {
        if (closed) {
            throw new ClosedException(subject + ": used after close");
        }
    }

    // collecting

    /** Runs {@code body}, which enqueues, while the device is open. */
    void append(Runnable body) {
        device.whileOpen(() -> {
            requireOpen();
            body.run();
        });
    }

    private void add(Runnable command) {
        if (commands.size() == MOST_COMMANDS) {
            flush();
        }
        commands.add(command);
        enqueued++;
    }

    @Override
    public MemorySegment calls(int count) {
        long bytes = count * CallLayout.BYTES;
        if (commands.size() == MOST_COMMANDS || callBytes + bytes > calls.byteSize()) {
            flush();
        }
        return calls.asSlice(callBytes, bytes);
    }

    @Override
    public void add(Launch launch) {
        add(() -> device.context().launch(launch, handle));
        callBytes += launch.call().byteSize();
    }

    @Override
    public void add(StreamCall call) {
        add(() -> call.enqueue(handle));
    }

    @Override
    public long counters() {
        return counters.address();
    }

    /** Appends the launch of a graph. @param watched what other libraries have in it: the first stands for all */
    void addGraph(long executable, List<Watches.Watched> watched) {
        Watches.Watch watch = watched.isEmpty() ? null : watched.getFirst().next();
        add(() -> device.context().launchGraph(executable, handle));
        if (watch != null) {
            watch(watch);
        }
    }

    /** From here on the stream notes down what other libraries put on it; on the device's thread, as is what follows. */
    void beginRecording() {
        recording = new ArrayList<>();
    }

    /** What they have put on it since. */
    List<Watches.Watched> endRecording() {
        List<Watches.Watched> recorded = recording;
        recording = null;
        return recorded == null ? List.of() : recorded;
    }

    /** Hands over what has been collected. */
    void flush() {
        if (!commands.isEmpty()) {
            device.run(this::submit);
        }
    }

    /** Hands over what has been collected and runs {@code body} behind it on the device's thread. */
    <T> T flushThen(Supplier<T> body) {
        return device.call(() -> {
            requireOpen();
            submit();
            return body.get();
        });
    }

    /** Gives the collected commands to the driver. After a failure the rest is dropped. On the device's thread. */
    private void submit() {
        try {
            for (Runnable command : commands) {
                command.run();
                submitted++;
            }
        } catch (RuntimeException | Error e) {
            enqueued = submitted;
            deliveries.removeIf(d -> d.position() > submitted);
            throw e;
        } finally {
            callBytes = 0;
            commands.clear();
            copyBytes = 0;
        }
    }

    /** Appends a record of an event that is not this stream's. */
    void record(long event) {
        append(() -> add(() -> device.context().recordEvent(event, handle)));
    }

    // copies

    @Override
    public void copyIn(MemorySegment source, long target) {
        append(() -> copyInHere(source, target));
    }

    private void copyInHere(MemorySegment source, long target) {
        pieces(source.byteSize(), (at, bytes) -> {
            MemorySegment piece = stage(source, at, bytes);
            add(() -> device.context().copyIn(piece, target + at, bytes, handle));
        });
    }

    private MemorySegment stage(MemorySegment source, long at, long bytes) {
        MemorySegment piece = staging.piece(bytes);
        MemorySegment.copy(source, at, piece, 0, bytes);
        return piece;
    }

    /** Those that are short and follow one another by one launch. */
    @Override
    public void copyIn(List<HostCopy> copies) {
        append(() -> {
            int from = 0;
            while (from < copies.size()) {
                int to = from;
                while (to < copies.size() && to - from < Feed.MOST && Feed.takes(copies.get(to))) {
                    to++;
                }
                if (to - from > 1) {
                    feed(copies, from, to);
                    from = to;
                } else {
                    copyInHere(copies.get(from).source(), copies.get(from).target());
                    from++;
                }
            }
        });
    }

    private void feed(List<HostCopy> copies, int from, int to) {
        if (staging.bytes() >= MOST_STAGING) {
            drain();
        }
        Feed feed = new Feed(device.functions(), calls(1));
        for (int i = from; i < to; i++) {
            HostCopy copy = copies.get(i);
            long bytes = copy.source().byteSize();
            if (bytes > 0) {
                feed.add(stage(copy.source(), 0, bytes), copy.target());
                copyBytes += bytes;
            }
        }
        if (!feed.isEmpty()) {
            add(feed.launch());
        }
    }

    @Override
    public void copyOut(long source, MemorySegment target) {
        MemorySegment reachable = fromAnyThread(target);
        append(() -> pieces(target.byteSize(), (at, bytes) -> {
            MemorySegment piece = staging.piece(bytes);
            add(() -> device.context().copyOut(source + at, piece, bytes, handle));
            deliveries.add(new Delivery(enqueued, piece, reachable.asSlice(at, bytes)));
        }));
    }

    @Override
    public void copy(long source, long sourcePitch, long target, long targetPitch, long bytes, long rows) {
        if (bytes == 0 || rows == 0) {
            return;
        }
        boolean dense = rows == 1 || sourcePitch == bytes && targetPitch == bytes;
        append(() -> add(
                dense
                        ? () -> device.context().copy(source, target, bytes * rows, handle)
                        : () -> device.context()
                                .copyRows(source, sourcePitch, target, targetPitch, bytes, rows, handle)));
    }

    /** Appends a fill with zeros. */
    void zero(long address, long bytes) {
        append(() -> add(() -> device.context().zero(address, bytes, handle)));
    }

    /** Copies one piece through pinned memory. */
    private interface Piece {
        void copy(long at, long bytes);
    }

    private void pieces(long size, Piece piece) {
        for (long at = 0; at < size; at += PinnedPool.CHUNK) {
            if (staging.bytes() >= MOST_STAGING) {
                drain();
            }
            long bytes = Math.min(PinnedPool.CHUNK, size - at);
            piece.copy(at, bytes);
            copyBytes += bytes;
            if (copyBytes >= MOST_COPY_BYTES) {
                flush();
            }
        }
    }

    /** Data is delivered by the thread that waits, which need not be the one whose arena it is. */
    private static MemorySegment fromAnyThread(MemorySegment s) {
        return s.isNative() ? MemorySegment.ofAddress(s.address()).reinterpret(s.byteSize()) : s;
    }

    // waiting

    @Override
    public Event record() {
        return flushThen(this::mark);
    }

    /** On the device's thread. */
    private Mark mark() {
        long event = device.events().take();
        try {
            device.context().recordEvent(event, handle);
        } catch (RuntimeException e) {
            device.events().give(event);
            throw e;
        }
        submitted = ++enqueued;
        Mark mark = new Mark(event, submitted);
        marks.add(mark);
        return mark;
    }

    /** What another library has put on the stream: is looked after by everybody who waits for it, or is part of a recording. */
    void watch(Watches.Watched work) {
        List<Watches.Watched> recorded = recording;
        if (recorded == null) {
            watch(work.next());
        } else {
            recorded.add(work);
        }
    }

    private void watch(Watches.Watch watch) {
        flushThen(() -> {
            Mark mark = mark();
            watches.add(mark.position, mark::isPast, watch);
            return mark;
        });
    }

    @Override
    public void waitFor(Event event) {
        if (!(event instanceof Mark mark) || mark.stream().device != device) {
            throw new WeftException(subject + ": waits for an event of "
                    + event.getClass().getName() + ", expected one of a stream of this device");
        }
        append(() -> add(() -> {
            Long handed = mark.event;
            if (handed != null) {
                device.context().awaitEvent(handle, handed);
            }
        }));
    }

    @Override
    public void synchronize() {
        device.whileOpen(this::drain);
    }

    private void drain() {
        requireOpen();
        Waiting waiting = new Waiting(device);
        BooleanSupplier isIdle = () -> device.context().isIdle(handle);
        try {
            boolean done = flushThen(() -> waiting.look(isIdle));
            await(waiting, done, isIdle);
            watches.pass(enqueued);
        } catch (RuntimeException | Error e) {
            deliveries.clear(); // whoever hears of the failure may give up their targets
            throw e;
        }
        pass(enqueued);
        staging.reset();
    }

    private void await(Waiting waiting, boolean isDone, BooleanSupplier look) {
        for (boolean done = isDone; !done; done = device.call(() -> look(waiting, look))) {
            if (watches.isEmpty()) {
                waiting.pause(subject);
            } else {
                waiting.nap();
            }
        }
    }

    private boolean look(Waiting waiting, BooleanSupplier look) {
        if (watches.look()) {
            waiting.restart();
        }
        return waiting.look(look);
    }

    /** Everything up to {@code position} is done: delivers its data, recycles its events. */
    private void pass(long position) {
        passed = Math.max(passed, position);
        while (!deliveries.isEmpty() && deliveries.getFirst().position() <= passed) {
            Delivery d = deliveries.removeFirst();
            MemorySegment.copy(d.staged(), 0, d.target(), 0, d.target().byteSize());
        }
        if (!marks.isEmpty()) {
            device.run(() -> recycle(passed));
        }
    }

    private void recycle(long position) {
        while (!marks.isEmpty() && marks.getFirst().position <= position) {
            Mark mark = marks.removeFirst();
            Long event = mark.event;
            mark.event = null;
            if (event != null) {
                device.events().give(event);
            }
        }
    }

    /** Waits without failing: what comes afterwards only frees. On the device's thread. */
    void settle() {
        if (closed || passed >= submitted) {
            return;
        }
        Waiting waiting = new Waiting(device);
        try {
            while (!device.health().isLost() && !device.context().isIdle(handle)) {
                watches.lookQuietly();
                waiting.pause(subject);
            }
        } catch (WeftException e) {
            // the loss is recorded, other failures were those of work that nobody waits for
        }
    }

    @Override
    public void close() {
        device.whileAlive(this::closeHere);
    }

    /** Ends the stream after the work it was given; what is only collected is dropped. On the device's thread. */
    void closeHere() {
        if (closed) {
            return;
        }
        settle();
        closed = true;
        recycle(Long.MAX_VALUE);
        device.context().destroyStream(handle);
        device.counters().give(counters);
        staging.close();
        arena.close();
        device.forget(this);
    }

    @Override
    public String toString() {
        return subject;
    }

    /** A point in the stream; its CUDA event goes back to the pool once the point is passed. */
    private final class Mark implements Event {
        private final long position;
        private volatile @Nullable Long event;

        Mark(long event, long position) {
            this.event = event;
            this.position = position;
        }

        CudaStream stream() {
            return CudaStream.this;
        }

        /** On the device's thread. */
        private boolean isPast() {
            Long handed = event;
            return handed == null || device.context().isPast(handed);
        }

        @Override
        public boolean isDone() {
            boolean done = device.call(() -> {
                watches.look();
                return isPast();
            });
            if (done) {
                device.whileOpen(this::passHere);
            }
            return done;
        }

        @Override
        public void synchronize() {
            device.whileOpen(() -> {
                await(new Waiting(device), false, this::isPast);
                passHere();
            });
        }

        private void passHere() {
            watches.pass(position);
            pass(position);
        }
    }
}
