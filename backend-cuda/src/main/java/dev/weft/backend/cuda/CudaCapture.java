package dev.weft.backend.cuda;

import dev.weft.CommunicatorException;
import dev.weft.WeftException;
import dev.weft.backend.cuda.kernel.StreamCall;
import dev.weft.spi.Capturing.Call;
import dev.weft.spi.Capturing.Capture;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.SharedKernel;
import dev.weft.spi.support.RecentRuns;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.LongBuffer;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A sequence of kernels that is recorded as a CUDA graph per set of extents: grids and parameters are part of a graph, so
 * new extents need another one. The first run with some extents goes call by call, which loads images; the second is
 * recorded, since running twice in one step would change states twice; later ones replay. Extents of one step only, as in
 * prefill, therefore never pay for a recording.
 *
 * <p>Work of NCCL must be recorded on all ranks or on none, and run from the recordings of the same time. So what all ranks
 * agreed on counts like an extent, every rank keeps as many graphs, and one that cannot record does not go on without.
 */
final class CudaCapture implements Capture {
    private static final Logger LOG = LoggerFactory.getLogger(CudaCapture.class);

    private final CudaDevice device;
    private final List<Call> calls;
    private final RecentRuns<LongBuffer, Run> runs;
    private @Nullable Run current;
    private final Optional<SharedKernel> shared;
    /** Of the graphs, which run one after another, but perhaps beside what their streams are given elsewhere. */
    private final DeviceBuffer counters;

    private long agreed;
    private boolean closed;

    CudaCapture(CudaDevice device, List<Call> calls) {
        this.device = device;
        this.calls = List.copyOf(calls);
        this.runs = new RecentRuns<>(device.options().graphs(), r -> r.executable != 0, this::destroy);
        this.shared = calls.stream()
                .map(Call::kernel)
                .filter(SharedKernel.class::isInstance)
                .map(SharedKernel.class::cast)
                .findFirst();
        this.counters = device.memory().allocate(Emission.Sink.COUNTER_BYTES, Emission.Sink.COUNTER_BYTES);
    }

    /** What is known about running with some extents: nothing yet, once call by call, a graph, or why there is none. */
    private static final class Run {
        private boolean warm;
        private volatile long executable;
        /** What NCCL has in the graph. */
        private List<Watches.Watched> shared = List.of();

        private @Nullable CaptureException failure;
    }

    @Override
    public void enqueue(DeviceStream stream) {
        CudaStream s = CudaStream.of(stream, device);
        s.append(() -> {
            Run run = current;
            if (run == null || hasAgreedAnew()) {
                LongBuffer extents = extents();
                run = s.flushThen(() -> runs.of(extents, Run::new));
                current = run;
            }
            enqueue(run, s);
        });
    }

    private boolean hasAgreedAnew() {
        return shared.isPresent() && shared.get().agreed() != agreed;
    }

    private void enqueue(Run run, CudaStream stream) {
        if (run.executable == 0 && run.warm && run.failure == null) {
            stream.flushThen(() -> record(run, stream)); // flushed, since another graph may give way
        }
        if (run.executable != 0) {
            stream.addGraph(run.executable, run.shared);
        } else {
            emit(stream, stream);
            run.warm = device.options().capture() != CudaOptions.Capture.OFF;
        }
    }

    /** Extents of all operands of all calls, and what the ranks agreed on. */
    private LongBuffer extents() {
        agreed = shared.map(SharedKernel::agreed).orElse(0L);
        LongStream extents = calls.stream()
                .map(Call::arguments)
                .flatMapToLong(
                        a -> IntStream.range(0, a.count()).mapToObj(a::dims).flatMapToLong(LongStream::of));
        return LongBuffer.wrap(LongStream.concat(LongStream.of(agreed), extents).toArray());
    }

    /** @param stream where what is no kernel of the device goes */
    private void emit(Emission.Sink sink, CudaStream stream) {
        for (Call c : calls) {
            if (c.kernel() instanceof Emitting kernel) {
                kernel.emit(c.arguments(), sink);
            } else {
                c.kernel().enqueue(stream, c.arguments());
            }
        }
    }

    /** Records a graph. Without success the sequence goes on call by call, unless graphs are required. */
    private boolean record(Run run, CudaStream stream) {
        runs.makeRoomForRecording();
        try {
            run.executable = capture(run, stream);
        } catch (CaptureException e) {
            if (device.options().capture() == CudaOptions.Capture.REQUIRE || shared.isPresent()) {
                throw e;
            }
            run.failure = e;
            LOG.warn("{}: runs call by call from now on: {}", device, e.getMessage());
        }
        return run.executable != 0;
    }

    private long capture(Run run, CudaStream stream) {
        CudaContext context = device.context();
        try (Arena arena = Arena.ofConfined()) {
            context.zero(counters.address(), counters.bytes(), stream.handle());
            context.beginCapture(stream.handle());
            stream.beginRecording();
            return context.instantiate(graph(
                    recorder(arena.allocate(CallLayout.MOST_CALLS * CallLayout.BYTES, 8), stream.handle()), stream));
        } catch (CommunicatorException e) {
            throw e; // the ranks are no more together, call by call neither
        } catch (WeftException e) {
            device.health().check();
            throw new CaptureException(calls.size() + " kernels cannot be recorded as a graph: " + e.getMessage(), e);
        } finally {
            run.shared = stream.endRecording();
        }
    }

    private long graph(Emission.Sink recorder, CudaStream stream) {
        try {
            emit(recorder, stream);
            return device.context().endCapture(stream.handle());
        } catch (RuntimeException | Error e) {
            device.context().dropCapture(stream.handle());
            throw e;
        }
    }

    /** Launches at once, which a stream that is being captured notes down. */
    private Emission.Sink recorder(MemorySegment calls, long stream) {
        return new Emission.Sink() {
            @Override
            public MemorySegment calls(int count) {
                return calls.asSlice(0, count * CallLayout.BYTES);
            }

            @Override
            public void add(Launch launch) {
                device.context().launch(launch, stream);
            }

            @Override
            public void add(StreamCall call) {
                call.enqueue(stream);
            }

            @Override
            public long counters() {
                return counters.address();
            }
        };
    }

    @Override
    public void extentsChanged() {
        current = null;
    }

    private void destroy(Run run) {
        if (run.executable != 0) {
            device.context().destroyExecutable(run.executable);
            run.executable = 0;
        }
    }

    /** Destroys graphs with work of NCCL; on the device's thread. */
    void dropShared() {
        runs.all().stream().filter(r -> !r.shared.isEmpty()).forEach(this::destroy);
    }

    @Override
    public void close() {
        device.whileAlive(this::closeHere);
    }

    /** Destroys all graphs; on the device's thread. */
    void closeHere() {
        if (closed) {
            return;
        }
        closed = true;
        runs.close();
        counters.close(); // once all streams are idle: a graph of this may still run on one
        device.forget(this);
    }

    /** Graphs recorded now; for tests. */
    int graphs() {
        return device.call(
                () -> (int) runs.all().stream().filter(r -> r.executable != 0).count());
    }
}
