package dev.weft.backend.ascend;

import dev.weft.TensorType;
import dev.weft.backend.ascend.kernel.Candidate;
import dev.weft.backend.ascend.kernel.Profile;
import dev.weft.op.OpInstance;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Capturing;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceGroups;
import dev.weft.spi.DeviceInfo;
import dev.weft.spi.Kernel;
import dev.weft.spi.Lifetime;
import dev.weft.spi.StateLayout;
import dev.weft.spi.Support;
import dev.weft.spi.VendorFunctions;
import dev.weft.spi.WeightLayout;
import dev.weft.spi.support.DeviceMemory;
import dev.weft.spi.support.DeviceThread;
import dev.weft.spi.support.PinnedPool;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One Ascend device with a context of its own, whose calls are all made by its thread. */
final class AscendDevice implements BackendDevice, Capturing, WeightLayout, StateLayout, DeviceGroups, VendorFunctions {
    private static final Logger LOG = LoggerFactory.getLogger(AscendDevice.class);

    /** {@code ACL_OPT_DETERMINISTIC}. */
    private static final int DETERMINISTIC = 0;

    private static final int HOST_TO_DEVICE = 1;
    private static final int DEVICE_TO_HOST = 2;

    private final DeviceInfo info;
    private final Acl acl;
    private final String soc;
    private final CannInstallation cann;
    private final AscendOptions options;
    private final Consumer<AscendDevice> onClose;
    private final DeviceThread thread;
    private final Health health;
    private final DeviceMemory memory;
    private final PinnedPool pinned;
    private final EventPool events;
    private final Set<AscendStream> streams = new LinkedHashSet<>();
    private final Set<AscendCapture> captures = new LinkedHashSet<>();
    private final Set<HcclGroup> groups = new LinkedHashSet<>();
    private final Constants constants = new Constants(this);
    private final SizeRule sizeRule;
    private final Profile profile;
    private final Kernels kernels;
    private final OpCaller caller;
    private final FirstPhases firstPhases;
    private final Lifetime lifetime;
    private final MemorySegment context;
    private int streamNumber;

    AscendDevice(
            DeviceInfo info, String soc, CannInstallation cann, AscendOptions options, Consumer<AscendDevice> onClose) {
        String subject = "device " + info.id();
        this.info = info;
        this.soc = soc;
        this.cann = cann;
        this.profile = Profile.of(soc);
        this.sizeRule = SizeRule.of(soc);
        this.acl = cann.acl();
        this.options = options;
        this.onClose = onClose;
        this.thread = new DeviceThread(info.id().toString());
        this.health = new Health(subject, acl);
        AscendMemory source = new AscendMemory(acl, health, sizeRule, this::settleStreams);
        this.memory = new DeviceMemory(subject, thread, options.memoryLimit(), source);
        this.pinned = new PinnedPool(thread, source);
        this.events = new EventPool(acl, health);
        Operators operators = new Operators(cann.libraries());
        this.kernels = new Kernels(this, profile, operators, info.id().variant());
        this.lifetime = new Lifetime(subject, this::release);
        try {
            this.context = thread.call(this::enter);
            this.caller = thread.call(() -> new OpCaller(acl, health, operators));
            this.firstPhases = new FirstPhases(profile, sizeRule, operators, caller);
        } catch (RuntimeException | Error e) {
            thread.close();
            throw e;
        }
    }

    /** Makes the device and a context of its own current on its thread, for good. */
    private MemorySegment enter() {
        int ordinal = info.id().ordinal();
        health.require(acl.aclrtSetDevice(ordinal), "aclrtSetDevice(" + ordinal + ")");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            health.require(acl.aclrtCreateContext(out, ordinal), "aclrtCreateContext(" + ordinal + ")");
            MemorySegment created = out.get(ValueLayout.ADDRESS, 0);
            try {
                determinism();
            } catch (RuntimeException | Error e) {
                health.note(acl.aclrtDestroyContext(created), "aclrtDestroyContext");
                throw e;
            }
            return created;
        } catch (RuntimeException | Error e) {
            health.note(acl.aclrtResetDevice(ordinal), "aclrtResetDevice");
            throw e;
        }
    }

    private void determinism() {
        if (options.deterministic() < 0) {
            return;
        }
        try {
            int code = acl.aclrtSetSysParamOpt(DETERMINISTIC, options.deterministic());
            health.require(code, "aclrtSetSysParamOpt(ACL_OPT_DETERMINISTIC, " + options.deterministic() + ")");
        } catch (UnsatisfiedLinkError e) {
            throw new dev.weft.BackendUnavailableException(
                    "device " + info.id() + ": -D" + AscendOptions.DETERMINISTIC + " is set, but this CANN has no"
                            + " aclrtSetSysParamOpt",
                    e);
        }
    }

    Acl acl() {
        return acl;
    }

    /** Its collectives; for the device's thread. */
    Hccl hccl() {
        return cann.hccl();
    }

    String cannVersion() {
        return cann.version();
    }

    /** What all ranks of a group must have in common. */
    HcclSettings hcclSettings() {
        return HcclSettings.of(cann, soc, options);
    }

    Health health() {
        return health;
    }

    AscendOptions options() {
        return options;
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

    Constants constants() {
        return constants;
    }

    SizeRule sizeRule() {
        return sizeRule;
    }

    /** Makes operator calls; for the device's thread. */
    OpCaller caller() {
        return caller;
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

    /** As {@link #call}, given up after a time; see {@link DeviceThread#callWithin}. */
    <T> T callWithin(Duration limit, Supplier<T> body) throws TimeoutException {
        lifetime.enter();
        try {
            return thread.callWithin(limit, () -> {
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
    void forget(AscendStream stream) {
        streams.remove(stream);
    }

    /** A capture that has ended; on the device's thread. */
    void forget(AscendCapture capture) {
        captures.remove(capture);
    }

    /** A group that has begun. */
    void add(HcclGroup group) {
        run(() -> groups.add(group));
    }

    /** A group that has ended; on the device's thread. */
    void forget(HcclGroup group) {
        groups.remove(group);
    }

    /** Waits for the streams' work without failing; on the device's thread. Returns whether it has ended. */
    boolean settleStreams() {
        boolean idle = true;
        for (AscendStream stream : streams) {
            idle &= stream.settle();
        }
        return idle;
    }

    @Override
    public DeviceInfo info() {
        return info;
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
        Candidate candidate = kernels.candidate(op);
        return call(() -> new AscendKernel(this, profile, op, candidate));
    }

    /** Why the installed operators refuse a candidate's calls, empty if they accept them or are not to be asked. */
    Optional<String> refusal(Candidate candidate, OpInstance op) {
        return options.probe() ? call(() -> firstPhases.refusal(candidate, op)) : Optional.empty();
    }

    @Override
    public List<Answer> ask(List<OpInstance> instances) {
        return call(() -> firstPhases.ask(instances));
    }

    @Override
    public Optional<Packing> packing(OpInstance op, int operand) {
        lifetime.enter();
        try {
            health.check();
            return kernels.packing(op, operand).map(onHost -> new Packed(this, onHost));
        } finally {
            lifetime.exit();
        }
    }

    @Override
    public long stateBytes(TensorType type) {
        return Emission.spareBytes(type);
    }

    @Override
    public DeviceCommunicator join(
            String name, int rank, int size, UnaryOperator<byte[]> fromRankZero, Duration deadline) {
        return new HcclJoin(this, name, rank, size, deadline).run(fromRankZero);
    }

    @Override
    public Capture capture(List<Call> calls) {
        return call(() -> {
            AscendCapture capture = new AscendCapture(this, calls);
            captures.add(capture);
            return capture;
        });
    }

    @Override
    public int recordings() {
        return options.graphs();
    }

    @Override
    public OptionalLong availableBytes() {
        lifetime.enter();
        try {
            health.check();
            return memory.availableBytes();
        } finally {
            lifetime.exit();
        }
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
    public AscendStream createStream() {
        return call(() -> {
            AscendStream stream = new AscendStream(this, info.id() + " stream " + ++streamNumber);
            streams.add(stream);
            return stream;
        });
    }

    @Override
    public void copyIn(MemorySegment source, long target) {
        copy(source.byteSize(), (chunk, at, bytes) -> {
            MemorySegment.copy(source, at, chunk, 0, bytes);
            MemorySegment to = MemorySegment.ofAddress(target + at);
            run(() -> copy(to, chunk, bytes, HOST_TO_DEVICE));
        });
    }

    @Override
    public void copyOut(long source, MemorySegment target) {
        copy(target.byteSize(), (chunk, at, bytes) -> {
            MemorySegment from = MemorySegment.ofAddress(source + at);
            run(() -> copy(chunk, from, bytes, DEVICE_TO_HOST));
            MemorySegment.copy(chunk, 0, target, at, bytes);
        });
    }

    /** Copies one piece through pinned memory. */
    private interface Piece {
        void copy(MemorySegment chunk, long at, long bytes);
    }

    private void copy(long bytes, Piece piece) {
        lifetime.enter();
        try {
            health.check();
            MemorySegment chunk = pinned.take();
            try {
                for (long at = 0; at < bytes; at += PinnedPool.CHUNK) {
                    piece.copy(chunk, at, Math.min(PinnedPool.CHUNK, bytes - at));
                }
            } finally {
                pinned.give(chunk);
            }
        } finally {
            lifetime.exit();
        }
    }

    private void copy(MemorySegment to, MemorySegment from, long bytes, int kind) {
        health.require(acl.aclrtMemcpy(to, bytes, from, bytes, kind), "aclrtMemcpy(" + bytes + " bytes)");
    }

    @Override
    public void zero(long address, long bytes) {
        run(() -> {
            int code = acl.aclrtMemset(MemorySegment.ofAddress(address), bytes, 0, bytes);
            health.require(code, "aclrtMemset(" + bytes + " bytes)");
        });
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
        List.copyOf(captures).forEach(AscendCapture::closeHere);
        List.copyOf(groups).reversed().forEach(HcclGroup::closeHere);
        List.copyOf(streams).forEach(AscendStream::closeHere);
        constants.close();
        caller.close();
        events.close();
        pinned.close();
        int left = memory.close();
        if (left > 0) {
            LOG.warn("device {} closed with {} open buffers, which are freed", info.id(), left);
        }
        health.note(acl.aclrtDestroyContext(context), "aclrtDestroyContext");
        health.note(acl.aclrtResetDevice(info.id().ordinal()), "aclrtResetDevice");
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
