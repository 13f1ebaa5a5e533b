package dev.weft.backend.cpu;

import dev.weft.NativeCallException;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.HardwareLimit;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.Support;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The native kernels of one instruction-set level, and a pool of native threads. Operators that have none run the
 * reference kernel, which its name in the placement table shows.
 */
final class NativeKernels implements KernelSet {
    private final NativeLevel level;
    private final int threads;
    private final ReferenceKernels reference = new ReferenceKernels();
    private final Arena arena = Arena.ofShared();
    /** One encoding per distinct operator, so that preparing many kernels does not fill the arena. */
    private final Map<Op, Optional<Encoding>> encodings = new HashMap<>();
    /** The pool takes one list at a time. */
    private final ReentrantLock running = new ReentrantLock();

    private long pool;

    NativeKernels(NativeLevel level, int threads) {
        this.level = level;
        this.threads = threads;
    }

    @Override
    public String description() {
        return level.name();
    }

    @Override
    public int threads() {
        return threads;
    }

    @Override
    public String tier() {
        return "hardware";
    }

    @Override
    public Support supports(OpInstance op) {
        Optional<Encoding> encoding = encoding(op);
        if (encoding.isEmpty()) {
            return reference.supports(op);
        }
        Optional<String> refusal = refusal(op, encoding.get());
        if (refusal.isEmpty()) {
            return new Support.Native(name(op, encoding.get()));
        }
        return switch (reference.supports(op)) {
            case Support.Native scalar -> new Support.Emulated(scalar.kernel(), level.name() + ": " + refusal.get());
            case Support other -> other;
        };
    }

    @Override
    public Kernel prepare(OpInstance op) {
        Optional<Encoding> encoding = encoding(op);
        if (encoding.isEmpty() || refusal(op, encoding.get()).isPresent()) {
            return reference.prepare(op);
        }
        try (Arena scratch = Arena.ofConfined()) {
            Encoding e = encoding.get();
            MemorySegment operands = operands(op, scratch);
            long workspace = level.library()
                    .workspace(
                            level.isa(),
                            e.opcode(),
                            e.attributes(),
                            operands,
                            op.all().size(),
                            threads);
            return new Launch(name(op, e), workspace, e, this);
        }
    }

    @Override
    public Optional<WeightLayout.Packing> packing(OpInstance op, int operand, Workers workers) {
        boolean product = op.op() instanceof Gemm || op.op() instanceof GroupedGemm || op.op() instanceof ExpertGemm;
        if (!product || operand != 1 || refusal(op, encoding(op).orElseThrow()).isPresent()) {
            return Optional.empty();
        }
        return Optional.of(new PanelPacking(level, op.inputs().get(1), workers));
    }

    private synchronized Optional<Encoding> encoding(OpInstance op) {
        return encodings.computeIfAbsent(op.op(), o -> Encoding.of(o, arena));
    }

    private Optional<String> refusal(OpInstance op, Encoding e) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment operands = operands(op, scratch);
            return NativeLevel.text(level.library()
                    .unsupported(
                            level.isa(),
                            e.opcode(),
                            e.attributes(),
                            operands,
                            op.all().size()));
        }
    }

    private String name(OpInstance op, Encoding e) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment name = level.library()
                    .kernelName(
                            level.isa(),
                            e.opcode(),
                            operands(op, scratch),
                            op.all().size());
            return NativeLevel.text(name).orElse(op.op().name()) + "/" + level.name();
        }
    }

    /** Operand words at the largest extents, without addresses. */
    private static MemorySegment operands(OpInstance op, Arena scratch) {
        return new KernelArguments(op.all(), scratch).words();
    }

    /** Runs {@code count} commands at an address on the pool. @throws NativeCallException if one has no kernel */
    void run(long commands, long count) {
        running.lock();
        try {
            long failed = level.library().run(pool(), level.isa(), commands, count);
            if (failed != 0) {
                throw new NativeCallException("weft_run on " + level.name() + ": command " + (failed - 1) + " of "
                        + count + " has no kernel");
            }
        } finally {
            running.unlock();
        }
    }

    /** The pool, made at first use; call while {@code running} is held. */
    private long pool() {
        if (pool == 0) {
            pool = level.library().createPool(threads);
            if (pool == 0) {
                throw new NativeCallException(
                        "weft_pool_create: no pool of " + threads + " threads; is there a limit on threads?");
            }
        }
        return pool;
    }

    NativeLevel level() {
        return level;
    }

    /** Does nothing but work of one kind on the pool. @return bytes or operations per second */
    double rate(HardwareLimit kind, MemorySegment data, long amount) {
        running.lock();
        try {
            long owner = pool();
            long start = System.nanoTime();
            long done = level.library().limit(owner, level.isa(), kind.ordinal(), data, amount);
            long nanos = System.nanoTime() - start;
            if (done <= 0) {
                throw new NativeCallException("weft_limit on " + level.name() + ": no " + amount + " of " + kind);
            }
            return done * 1e9 / Math.max(1, nanos);
        } finally {
            running.unlock();
        }
    }

    @Override
    public void close() {
        running.lock();
        try {
            if (pool != 0) {
                level.library().destroyPool(pool);
                pool = 0;
            }
        } finally {
            running.unlock();
        }
        arena.close();
    }

    /** Type of one matrix of a weight {@code [N, K]} or {@code [E, N, K]}. */
    static TensorType matrix(TensorType weight) {
        long[] extents = weight.shape().maximum();
        int rank = extents.length;
        return weight.shaped(Shape.of(extents[rank - 2], extents[rank - 1]));
    }

    /** Appends one native command. */
    private record Launch(String name, long workspaceBytes, Encoding encoding, NativeKernels kernels)
            implements Kernel {
        @Override
        public void enqueue(DeviceStream stream, KernelArguments arguments) {
            CpuStream.of(stream).append(kernels, encoding, arguments);
        }
    }
}
