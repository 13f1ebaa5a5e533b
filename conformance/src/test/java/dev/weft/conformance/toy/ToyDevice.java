package dev.weft.conformance.toy;

import dev.weft.ClosedException;
import dev.weft.DeviceLostException;
import dev.weft.DeviceMemoryException;
import dev.weft.op.Gemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.reference.Reference;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceInfo;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Fusing;
import dev.weft.spi.Kernel;
import dev.weft.spi.NodeGroup;
import dev.weft.spi.Support;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** The toy accelerator: memory, streams, kernels. The first failure of asynchronous work loses it for good. */
final class ToyDevice implements BackendDevice, Fusing, WeightLayout {
    private final DeviceInfo info;
    private final ToyFaults faults;
    private final ToyMemory memory;
    private final Set<ToyStream> streams = ConcurrentHashMap.newKeySet();
    private final AtomicReference<Throwable> firstCause = new AtomicReference<>();
    private final AtomicBoolean closed = new AtomicBoolean();
    private final AtomicInteger copiesIn = new AtomicInteger();

    ToyDevice(DeviceInfo info, ToyFaults faults) {
        this.info = info;
        this.faults = faults;
        this.memory = new ToyMemory(info.id().toString(), info.id().ordinal(), info.memoryBytes());
    }

    void countCopyIn() {
        copiesIn.incrementAndGet();
    }

    /** Copies from the host that streams were given since the last call. */
    int copiesIn() {
        return copiesIn.getAndSet(0);
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public Support supports(OpInstance op) {
        check();
        Optional<String> refusal = faults.refusal(op.op().name()).or(() -> Reference.unsupported(op));
        if (refusal.isPresent()) {
            return new Support.Unsupported(refusal.get());
        }
        String kernel = ToyKernel.name(op);
        boolean scaled = op.all().stream().anyMatch(t -> !t.scaling().isNone());
        return scaled
                ? new Support.Emulated(kernel, "block scales are applied in scalar code")
                : new Support.Native(kernel);
    }

    @Override
    public Kernel prepare(OpInstance op) {
        check();
        return new ToyKernel(this, op, packing(op));
    }

    @Override
    public List<List<Class<? extends Op>>> chains() {
        return faults.chains();
    }

    @Override
    public Optional<String> family(NodeGroup group) {
        return faults.family(group);
    }

    @Override
    public Optional<Kernel> fuse(NodeGroup group) {
        check();
        return Optional.of(new ToyGroup(this, group));
    }

    @Override
    public Optional<Packing> packing(OpInstance op, int operand) {
        return operand == 1 ? packing(op).map(p -> p) : Optional.empty();
    }

    private Optional<TransposedPacking> packing(OpInstance op) {
        return op.op() instanceof Gemm
                ? Optional.of(new TransposedPacking(this, op.inputs().get(1)))
                : Optional.empty();
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        check();
        if (faults.allocationFails()) {
            throw new DeviceMemoryException(info.id() + ": allocation of " + bytes + " bytes: injected failure");
        }
        return new Buffer(memory.allocate(bytes, alignment), bytes);
    }

    @Override
    public DeviceStream createStream() {
        check();
        ToyStream stream = new ToyStream(this, faults.maxDelayMicros(), streams::remove);
        streams.add(stream);
        return stream;
    }

    @Override
    public void copyIn(MemorySegment source, long target) {
        check();
        memory.bytes(target, source.byteSize()).copyFrom(source);
    }

    @Override
    public void copyOut(long source, MemorySegment target) {
        check();
        target.copyFrom(memory.bytes(source, target.byteSize()));
    }

    @Override
    public void zero(long address, long bytes) {
        check();
        memory.bytes(address, bytes).fill((byte) 0);
    }

    ToyMemory memory() {
        return memory;
    }

    ToyFaults faults() {
        return faults;
    }

    int openStreams() {
        return streams.size();
    }

    boolean isLost() {
        return firstCause.get() != null;
    }

    /** Loses the device unless it already is lost. */
    void lose(String work, Throwable cause) {
        firstCause.compareAndSet(null, new ToyLossCause(work, cause));
    }

    /** @throws ClosedException after close @throws DeviceLostException after a loss, with the first cause */
    void check() {
        if (closed.get()) {
            throw new ClosedException("device " + info.id() + ": used after close");
        }
        Throwable cause = firstCause.get();
        if (cause != null) {
            throw new DeviceLostException(
                    "device " + info.id() + " is lost; first cause: " + cause.getMessage()
                            + "; close it and open it again",
                    cause);
        }
    }

    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        List<String> leaks = new ArrayList<>(memory.live());
        List<ToyStream> open = List.copyOf(streams);
        open.forEach(s -> leaks.add("stream " + s));
        open.forEach(ToyStream::close);
        memory.freeAll();
        if (!leaks.isEmpty()) {
            throw new LeakException("device " + info.id() + " closed with " + leaks.size() + " things open:\n  "
                    + String.join("\n  ", leaks));
        }
    }

    /** What was running when the device was lost. */
    private static final class ToyLossCause extends RuntimeException {
        private static final long serialVersionUID = 1L;

        ToyLossCause(String work, Throwable cause) {
            super(work + ": " + cause.getMessage(), cause);
        }
    }

    /** Memory of this device; frees after the device itself was closed do nothing. */
    private final class Buffer implements DeviceBuffer {
        private final long address;
        private final long bytes;
        private final AtomicBoolean freed = new AtomicBoolean();

        Buffer(long address, long bytes) {
            this.address = address;
            this.bytes = bytes;
        }

        @Override
        public long address() {
            return address;
        }

        @Override
        public long bytes() {
            return bytes;
        }

        @Override
        public void close() {
            if (freed.compareAndSet(false, true) && !closed.get()) {
                memory.free(address);
            }
        }
    }
}
