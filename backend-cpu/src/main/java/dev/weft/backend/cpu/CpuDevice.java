package dev.weft.backend.cpu;

import dev.weft.DeviceMemoryException;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Capturing;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceInfo;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Fusing;
import dev.weft.spi.HardwareLimit;
import dev.weft.spi.Kernel;
import dev.weft.spi.Lifetime;
import dev.weft.spi.MeasuredLimits;
import dev.weft.spi.NodeGroup;
import dev.weft.spi.Support;
import dev.weft.spi.WeightLayout;
import dev.weft.spi.WeightPager;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The host processor with one set of kernels. Device addresses are host addresses. */
final class CpuDevice implements BackendDevice, WeightLayout, Fusing, Capturing, MeasuredLimits {
    private static final Logger LOG = LoggerFactory.getLogger(CpuDevice.class);

    /** Packing is bound by memory beyond this. */
    private static final int MOST_PACKERS = 16;

    private final DeviceInfo info;
    private final KernelSet kernels;
    private final Yardstick yardstick;
    private final CpuOptions options;
    private final Host host;
    private final HostMemory memory;
    private final Workers packers;
    private final Set<CpuStream> streams = ConcurrentHashMap.newKeySet();
    private final Lifetime lifetime;

    /**
     * @param kernels closed with the device
     * @param yardstick closed with the device
     * @param memoryLimit most bytes of buffers at once, 0 for no limit
     * @param options threads and memory nodes
     * @param host what spreads memory over nodes
     */
    CpuDevice(
            DeviceInfo info, KernelSet kernels, Yardstick yardstick, long memoryLimit, CpuOptions options, Host host) {
        this.info = info;
        this.kernels = kernels;
        this.yardstick = yardstick;
        this.options = options;
        this.host = host;
        this.memory = new HostMemory("device " + info.id(), memoryLimit);
        this.packers = new Workers("weft-pack", Math.min(options.threads(), MOST_PACKERS));
        this.lifetime = new Lifetime("device " + info.id(), this::release);
    }

    /** Its kernels. */
    KernelSet kernels() {
        return kernels;
    }

    /** Accounts of buffers. */
    HostMemory memory() {
        return memory;
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public String level() {
        return kernels.description();
    }

    @Override
    public int threads() {
        return kernels.threads();
    }

    @Override
    public Set<HardwareLimit> limits() {
        return yardstick.limits().limits();
    }

    @Override
    public String measuredBy() {
        return yardstick.limits().measuredBy();
    }

    @Override
    public double read(long address, long bytes) {
        return whileOpen(() -> yardstick.limits().read(address, bytes));
    }

    @Override
    public double compute(HardwareLimit unit, long operations) {
        return whileOpen(() -> yardstick.limits().compute(unit, operations));
    }

    @Override
    public Support supports(OpInstance op) {
        return whileOpen(() -> kernels.supports(op));
    }

    @Override
    public Kernel prepare(OpInstance op) {
        return whileOpen(() -> kernels.prepare(op));
    }

    @Override
    public List<List<Class<? extends Op>>> chains() {
        return kernels.chains();
    }

    @Override
    public Optional<Kernel> fuse(NodeGroup group) {
        return whileOpen(() -> kernels.fuse(group));
    }

    @Override
    public Optional<Packing> packing(OpInstance op, int operand) {
        return whileOpen(() -> kernels.packing(op, operand, packers));
    }

    @Override
    public Optional<Paging> paging(OpInstance op, int operand) {
        return whileOpen(() -> kernels.paging(op, operand, packers));
    }

    @Override
    public WeightPager openPager(long slots, long slotBytes, long slotCount) {
        return whileOpen(() -> kernels.openPager(slots, slotBytes, slotCount));
    }

    @Override
    public boolean isHostMemory() {
        return true;
    }

    @Override
    public OptionalLong availableBytes() {
        return whileOpen(() -> OptionalLong.of(Math.min(memory.freeBytes(), Processor.availableBytes())));
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        return whileOpen(() -> {
            DeviceBuffer buffer = memory.allocate(bytes, alignment);
            if (options.interleave() && !host.interleave(buffer.address(), bytes)) {
                buffer.close();
                throw new DeviceMemoryException("device " + info.id() + ": allocation of " + bytes
                        + " bytes: the system" + " does not spread it over its memory nodes; open the device without "
                        + CpuOptions.NUMA);
            }
            return buffer;
        });
    }

    @Override
    public DeviceStream createStream() {
        return whileOpen(() -> {
            CpuStream stream = new CpuStream("stream of " + info.id(), streams::remove);
            streams.add(stream);
            return stream;
        });
    }

    @Override
    public Capture capture(List<Call> calls) {
        return whileOpen(() -> new Captured(CpuStream.capture("capture of " + info.id(), calls)));
    }

    /** Kernels read their arguments through the address in the command when they run: new extents need no new command. */
    private record Captured(CpuStream calls) implements Capture {
        @Override
        public void enqueue(DeviceStream stream) {
            CpuStream.of(stream).append(calls);
        }

        @Override
        public void extentsChanged() {}

        @Override
        public void close() {
            calls.close();
        }
    }

    @Override
    public void copyIn(MemorySegment source, long target) {
        lifetime.enter();
        try {
            MemorySegment.copy(source, 0, HostMemory.ALL, target, source.byteSize());
        } finally {
            lifetime.exit();
        }
    }

    @Override
    public void copyOut(long source, MemorySegment target) {
        lifetime.enter();
        try {
            MemorySegment.copy(HostMemory.ALL, source, target, 0, target.byteSize());
        } finally {
            lifetime.exit();
        }
    }

    @Override
    public void zero(long address, long bytes) {
        whileOpen(() -> HostMemory.segment(address, bytes).fill((byte) 0));
    }

    private <T> T whileOpen(Supplier<T> use) {
        lifetime.enter();
        try {
            return use.get();
        } finally {
            lifetime.exit();
        }
    }

    private void release() {
        // streams first: closing one waits for its run, which uses kernels and memory
        Closing.all(List.copyOf(streams));
        Closing.all(List.of(packers, yardstick, kernels));
        int left = memory.close();
        if (left > 0) {
            LOG.warn("device {} closed with {} open buffers, which are freed", info.id(), left);
        }
    }

    @Override
    public void close() {
        lifetime.close();
    }
}
