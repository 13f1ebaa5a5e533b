package dev.weft.runtime;

import dev.weft.ClosedException;
import dev.weft.DeviceId;
import dev.weft.DeviceMemoryException;
import dev.weft.GraphException;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.op.OpInstance;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Capturing;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceClock;
import dev.weft.spi.DeviceInfo;
import dev.weft.spi.Lifetime;
import dev.weft.spi.MeasuredLimits;
import dev.weft.spi.Support;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/**
 * One opened device. Thread-safe. Closing it closes everything created through it, newest first.
 */
public final class Device implements AutoCloseable {
    private static final String EMULATED = " EMULATOR";

    private final DeviceId id;
    private final BackendDevice spi;
    private final Set<AutoCloseable> owned = new LinkedHashSet<>();
    private final EagerOps ops = new EagerOps(this);
    private final Lifetime lifetime;
    private int loans;
    private boolean closing;

    Device(DeviceId id, BackendDevice spi) {
        this.id = id;
        this.spi = spi;
        this.lifetime = new Lifetime("device " + id, this::release);
    }

    /** The id it was opened with. */
    public DeviceId id() {
        return id;
    }

    /** What it is. */
    public DeviceInfo info() {
        return spi.info();
    }

    /** Its id, with {@code EMULATOR} after it where software plays the device: in what has times, which then say nothing. */
    public String label() {
        return info().isEmulator() ? id + EMULATED : id.toString();
    }

    /** Whether a {@link #label} is that of a device that software plays. */
    public static boolean isEmulator(String label) {
        return label.endsWith(EMULATED);
    }

    /** Which kernels compute, for reports; see {@link BackendDevice#level}. */
    public String level() {
        return spi.level();
    }

    /** Host threads that a kernel uses, 0 if kernels run elsewhere. */
    public int threads() {
        return spi.threads();
    }

    /** Bytes that could be allocated now; empty if nobody knows. */
    public OptionalLong availableBytes() {
        return using(spi::availableBytes);
    }

    /** Whether a clock of the device itself times what runs on it, see {@link Execution#time}. */
    public boolean hasClock() {
        return spi instanceof DeviceClock;
    }

    /** Whether it records what runs with some extents and replays it: the first runs with new ones take longer. */
    public boolean replays() {
        return spi instanceof Capturing capturing && capturing.recordings() < Integer.MAX_VALUE;
    }

    /** For how many sets of extents an execution keeps recordings, unlimited where none are made or one serves all. */
    public int recordings() {
        return spi instanceof Capturing capturing ? capturing.recordings() : Integer.MAX_VALUE;
    }

    /** The ceilings that the device can measure, empty if it measures none; an emulator's would say nothing. */
    public Optional<DeviceLimits> limits() {
        return spi instanceof MeasuredLimits measured && !info().isEmulator()
                ? Optional.of(new DeviceLimits(this, measured))
                : Optional.empty();
    }

    /** Whether and how the device can run an operator instance. */
    public Support supports(OpInstance op) {
        return using(() -> spi.supports(op));
    }

    /** Compiles without fallback. */
    public CompiledGraph compile(Graph graph) {
        return compile(graph, CompileOptions.DEFAULT);
    }

    /**
     * Chooses kernels and plans memory.
     *
     * @throws dev.weft.UnsupportedOpException listing every node the device has no kernel for, with the reasons
     */
    public CompiledGraph compile(Graph graph, CompileOptions options) {
        return using(() -> Compiler.compile(this, graph, options));
    }

    /** A tensor with undefined contents. */
    public Tensor tensor(TensorType type) {
        return using(() -> new Tensor(this, type));
    }

    /** A tensor of normally distributed values, the same for the same seed on every device. */
    public Tensor random(TensorType type, long seed) {
        Tensor t = tensor(type);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(Math.max(1, MemoryPlan.storageBytes(type)), 64);
            MemorySegment scale = bytes.asSlice(MemoryPlan.scaleOffset(type), type.maxScaleBytes());
            RandomWeights.fill(new SplittableRandom(seed), type, bytes.asSlice(0, type.maxDataBytes()), scale);
            t.write(bytes.asSlice(0, MemoryPlan.storageBytes(type)), 0);
        }
        return t;
    }

    /** Operators that run at once, one at a time. */
    public EagerOps ops() {
        return ops;
    }

    /** The backend's side of it, for tools that run kernels one by one; it lives as long as this device. */
    public BackendDevice spi() {
        return spi;
    }

    boolean isClosed() {
        return lifetime.isClosed();
    }

    /** Runs {@code body} on the open device; close waits for it, so what it creates is always owned before. */
    <T> T using(Supplier<T> body) {
        lifetime.enter();
        try {
            return body.get();
        } finally {
            lifetime.exit();
        }
    }

    /** Refuses what lives on another device: its addresses mean nothing here. */
    void require(Device other, String subject) {
        if (other != this) {
            throw new GraphException(subject + ": lives on " + other.id() + ", expected this " + id
                    + "; load or create it through this device");
        }
    }

    synchronized void own(AutoCloseable thing) {
        owned.add(thing);
    }

    synchronized void disown(AutoCloseable thing) {
        owned.remove(thing);
    }

    /** A tensor's memory leaves Weft. */
    synchronized void lend() {
        if (closing) {
            throw new ClosedException("device " + id + ": used after close");
        }
        loans++;
    }

    synchronized void giveBack() {
        loans--;
    }

    /** Borrowers would read freed memory. */
    synchronized void requireNothingLent() {
        if (loans > 0) {
            throw new DeviceMemoryException("device " + id + ": close: found " + loans
                    + " loans of tensors, expected none; release what holds their memory, then close again");
        }
    }

    /** @throws DeviceMemoryException if a tensor is lent; the device stays open then */
    @Override
    public void close() {
        synchronized (this) {
            requireNothingLent();
            closing = true;
        }
        lifetime.close();
    }

    private void release() {
        List<AutoCloseable> all;
        synchronized (this) {
            all = new ArrayList<>(new ArrayList<>(owned).reversed());
        }
        all.add(spi);
        Closing.all(all);
    }

    @Override
    public String toString() {
        return id + " (" + info().description() + ")";
    }
}
