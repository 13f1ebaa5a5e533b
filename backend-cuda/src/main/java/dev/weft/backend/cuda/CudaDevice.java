package dev.weft.backend.cuda;

import dev.weft.CommunicatorException;
import dev.weft.backend.cuda.kernel.Chip;
import dev.weft.backend.cuda.kernel.Fp8Gemm;
import dev.weft.backend.cuda.kernel.Fusions;
import dev.weft.backend.cuda.kernel.Way;
import dev.weft.op.Gemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Capturing;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceClock;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceGroups;
import dev.weft.spi.DeviceInfo;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Fusing;
import dev.weft.spi.HardwareLimit;
import dev.weft.spi.Kernel;
import dev.weft.spi.Lifetime;
import dev.weft.spi.MeasuredLimits;
import dev.weft.spi.NodeGroup;
import dev.weft.spi.Support;
import dev.weft.spi.support.DeviceMemory;
import dev.weft.spi.support.DeviceThread;
import dev.weft.spi.support.PinnedPool;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One CUDA device in its primary context, whose calls are all made by its thread. */
final class CudaDevice implements BackendDevice, Capturing, DeviceClock, DeviceGroups, Fusing, MeasuredLimits {
    private static final Logger LOG = LoggerFactory.getLogger(CudaDevice.class);

    private final DeviceInfo info;
    private final DeviceProperties properties;
    private final CudaOptions options;
    private final Consumer<CudaDevice> onClose;
    private final DeviceThread thread;
    private final Health health;
    private final CudaContext context;
    private final DeviceMemory memory;
    private final PinnedPool pinned;
    private final EventPool events;
    private final CounterPool counters;
    private final Functions functions;
    private final Tables tables = new Tables(this);
    private final Optional<CublasProducts> products;
    private final Kernels kernels;
    private final CudaLimits limits;
    private final Set<CudaStream> streams = new LinkedHashSet<>();
    private final Set<CudaCapture> captures = new LinkedHashSet<>();
    private final Set<NcclGroup> groups = new LinkedHashSet<>();
    private final boolean isEmulator;
    private final Lifetime lifetime;
    private @Nullable CudaStream ownStream;
    private int streamNumber;

    CudaDevice(
            DeviceInfo info,
            DeviceProperties properties,
            DriverLibrary library,
            Optional<CublasLtLibrary> cublasLt,
            CudaOptions options,
            Consumer<CudaDevice> onClose) {
        String subject = "device " + info.id();
        this.info = info;
        this.properties = properties;
        this.options = options;
        this.onClose = onClose;
        this.isEmulator = library.isEmulator();
        this.thread = new DeviceThread(info.id().toString());
        this.health = new Health(subject, library.driver());
        this.context =
                new CudaContext(library.driver(), health, properties.handle(), options.overlaps(library.version()));
        this.memory = new DeviceMemory(subject, thread, options.memoryLimit(), context.memory(this::settleStreams));
        this.pinned = new PinnedPool(thread, context);
        this.events = new EventPool(context);
        this.counters = new CounterPool(memory);
        Chip chip = properties.chip();
        this.functions =
                new Functions(context, thread, options.images(chip.sm(), library.version()), chip.sharedBytes());
        this.products = cublasLt.map(l -> new CublasProducts(l, thread, health, subject));
        this.kernels = new Kernels(this, info.id().variant().equals(CudaBackend.SIMPLE), preferred());
        this.limits = new CudaLimits(this);
        this.lifetime = new Lifetime(subject, this::release);
        try {
            thread.run(this::enter);
        } catch (RuntimeException | Error e) {
            thread.close();
            throw e;
        }
    }

    private Map<Class<? extends Op>, Way> preferred() {
        if (info.id().variant().equals(CudaBackend.FP8)) {
            return Fp8Gemm.WAYS;
        }
        return products.isPresent() ? Map.of(Gemm.class, new CublasGemm(products.get()).way()) : Map.of();
    }

    private void enter() {
        context.enter();
        try {
            products.ifPresent(CublasProducts::open);
        } catch (RuntimeException | Error e) {
            context.leave();
            throw e;
        }
    }

    Chip chip() {
        return properties.chip();
    }

    CudaOptions options() {
        return options;
    }

    Health health() {
        return health;
    }

    CudaContext context() {
        return context;
    }

    DeviceMemory memory() {
        return memory;
    }

    PinnedPool pinned() {
        return pinned;
    }

    EventPool events() {
        return events;
    }

    CounterPool counters() {
        return counters;
    }

    Functions functions() {
        return functions;
    }

    Tables tables() {
        return tables;
    }

    CudaLimits measuring() {
        return limits;
    }

    /** Whether calls wait for the device's thread. */
    boolean hasWaiting() {
        return thread.hasWaiting();
    }

    /** Runs {@code body} on the device's thread, unless the device is closed or lost. */
    <T> T call(Supplier<T> body) {
        lifetime.enter();
        try {
            return thread.call(() -> {
                health.check();
                return body.get();
            });
        } finally {
            lifetime.exit();
        }
    }

    /** As {@link #call}, without a result. */
    void run(Runnable body) {
        call(() -> {
            body.run();
            return Boolean.TRUE;
        });
    }

    /** Runs {@code body} on the calling thread; pinned memory and streams stay until it has ended. */
    void whileOpen(Runnable body) {
        lifetime.enter();
        try {
            health.check();
            body.run();
        } finally {
            lifetime.exit();
        }
    }

    /** Runs {@code body}, which only frees, on the device's thread; does nothing once the device is closed. */
    void whileAlive(Runnable body) {
        try {
            thread.run(body);
        } catch (dev.weft.ClosedException e) {
            LOG.debug("{}: freed with the device", this);
        }
    }

    /** A stream that has ended; on the device's thread. */
    void forget(CudaStream stream) {
        streams.remove(stream);
    }

    /** A capture that has ended; on the device's thread. */
    void forget(CudaCapture capture) {
        captures.remove(capture);
    }

    /** Destroys graphs with work of NCCL, whose communicators wait for them before they end; on the device's thread. */
    void dropSharedGraphs() {
        captures.forEach(CudaCapture::dropShared);
    }

    /** A group that ends with the device at the latest. */
    void own(NcclGroup group) {
        run(() -> groups.add(group));
    }

    /** A group that has ended; on the device's thread. */
    void forget(NcclGroup group) {
        groups.remove(group);
    }

    private void settleStreams() {
        streams.forEach(CudaStream::settle);
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public String level() {
        return "sm_" + chip().sm();
    }

    @Override
    public Support supports(OpInstance op) {
        lifetime.enter();
        try {
            health.check();
            return kernels.supports(op);
        } finally {
            lifetime.exit();
        }
    }

    @Override
    public Kernel prepare(OpInstance op) {
        lifetime.enter();
        try {
            health.check();
            return new CudaKernel(this, op, kernels.way(op));
        } finally {
            lifetime.exit();
        }
    }

    @Override
    public Optional<String> rowsDependOnOthers(OpInstance op) {
        lifetime.enter();
        try {
            health.check();
            return kernels.kind(op).flatMap(kind -> switch (kind) {
                case SIMPLE, FAST -> Optional.empty();
                case FEWER_BITS ->
                    Optional.of("FP8 units, which multiply many tokens, keep fewer bits of a sum than the kernels"
                            + " for few");
                case LIBRARY ->
                    Optional.of(
                            "cuBLASLt chooses an algorithm by the number of rows and does not promise equal" + " bits");
            });
        } finally {
            lifetime.exit();
        }
    }

    @Override
    public List<List<Class<? extends Op>>> chains() {
        return kernels.isSimple() ? List.of() : Fusions.CHAINS;
    }

    @Override
    public Optional<String> family(NodeGroup group) {
        lifetime.enter();
        try {
            health.check();
            return kernels.isSimple() ? Optional.empty() : Fusions.family(group, kernels.ways(group));
        } finally {
            lifetime.exit();
        }
    }

    @Override
    public Optional<Kernel> fuse(NodeGroup group) {
        lifetime.enter();
        try {
            health.check();
            return kernels.fuse(group).map(k -> k);
        } finally {
            lifetime.exit();
        }
    }

    @Override
    public Capture capture(List<Call> calls) {
        return call(() -> {
            CudaCapture capture = new CudaCapture(this, calls);
            captures.add(capture);
            return capture;
        });
    }

    @Override
    public int recordings() {
        return options.capture() == CudaOptions.Capture.OFF ? Integer.MAX_VALUE : options.graphs();
    }

    @Override
    public long time(DeviceStream stream, Runnable work) {
        return Timers.time(this, CudaStream.of(stream, this), work);
    }

    @Override
    public Set<HardwareLimit> limits() {
        return limits.kinds();
    }

    @Override
    public String measuredBy() {
        return limits.measuredBy();
    }

    @Override
    public double read(long address, long bytes) {
        return onOwnStream(stream -> limits.read(stream, address, bytes));
    }

    @Override
    public double compute(HardwareLimit unit, long operations) {
        return onOwnStream(stream -> limits.compute(stream, unit, operations));
    }

    @Override
    public OptionalLong availableBytes() {
        return call(memory::availableBytes);
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        lifetime.enter();
        try {
            return memory.allocate(bytes, alignment);
        } finally {
            lifetime.exit();
        }
    }

    @Override
    public CudaStream createStream() {
        return call(this::newStream);
    }

    private CudaStream newStream() {
        CudaStream stream = new CudaStream(this, info.id() + " stream " + ++streamNumber);
        streams.add(stream);
        return stream;
    }

    @Override
    public DeviceCommunicator join(
            String name, int rank, int size, UnaryOperator<byte[]> fromRankZero, Duration deadline) {
        String subject = "group " + name + ": rank " + rank + " on " + this + ": ";
        return switch (NcclLibrary.open(Details.folders())) {
            case NcclLibrary.Absent absent -> throw new CommunicatorException(subject + absent.reason());
            case NcclLibrary.Opened opened
            when opened.library().isEmulator() != isEmulator ->
                throw new CommunicatorException(subject + "found "
                        + opened.library().versionText() + " in "
                        + opened.library().library() + ", which does not belong to this driver; set -Dweft.nccl.path");
            case NcclLibrary.Opened opened ->
                NcclGroup.join(this, opened.library(), name, rank, size, fromRankZero, deadline);
        };
    }

    @Override
    public void copyIn(MemorySegment source, long target) {
        withStream(stream -> stream.copyIn(source, target));
    }

    @Override
    public void copyOut(long source, MemorySegment target) {
        withStream(stream -> stream.copyOut(source, target));
    }

    @Override
    public void zero(long address, long bytes) {
        withStream(stream -> stream.zero(address, bytes));
    }

    private void withStream(Consumer<CudaStream> body) {
        onOwnStream(stream -> {
            body.accept(stream);
            stream.synchronize();
            return Boolean.TRUE;
        });
    }

    /** What is outside of streams runs on one of the device's own, since the default stream would wait for other libraries. */
    private synchronized <T> T onOwnStream(java.util.function.Function<CudaStream, T> body) {
        CudaStream own = ownStream;
        if (own == null) {
            own = call(this::newStream);
            ownStream = own;
        }
        return body.apply(own);
    }

    /** What runs first, since it uses everything else; the thread last. */
    private void release() {
        try {
            thread.run(this::leave);
        } finally {
            thread.close();
            onClose.accept(this);
        }
    }

    private void leave() {
        List.copyOf(groups).reversed().forEach(NcclGroup::closeHere); // parts before what they are parts of
        List.copyOf(captures).forEach(CudaCapture::closeHere);
        List.copyOf(streams).forEach(CudaStream::closeHere);
        products.ifPresent(CublasProducts::close);
        tables.close();
        functions.close();
        events.close();
        counters.close();
        pinned.close();
        int left = memory.close();
        if (left > 0) {
            LOG.warn("device {} closed with {} open buffers, which are freed", info.id(), left);
        }
        context.leave();
    }

    @Override
    public void close() {
        lifetime.close();
    }

    @Override
    public String toString() {
        return "device " + info.id();
    }
}
