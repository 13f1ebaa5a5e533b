package dev.weft.backend.cpu;

import dev.weft.NativeCallException;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.WeftException;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Gather;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.HardwareLimit;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.NodeGroup;
import dev.weft.spi.Support;
import dev.weft.spi.WeightLayout;
import dev.weft.spi.WeightPager;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The native kernels of one instruction-set level, and a pool of native threads. Operators that have none run the
 * reference kernel, which its name in the placement table shows.
 */
final class NativeKernels implements KernelSet {
    /** 64-bit words of a {@code weft_command}, and which of them is the address of its operands. */
    private static final int COMMAND_WORDS = 4;

    private static final int OPERANDS_WORD = 2;

    /** Operands among which the paged weights of an operator are, and those of a gated product. */
    private static final int PAGED_OPERANDS = 2;

    private static final int PAGED_GATED_OPERANDS = 5;

    private final NativeLevel level;
    private final int threads;
    private final List<Integer> processors;
    private final ReferenceKernels reference = new ReferenceKernels();
    private final Arena arena = Arena.ofShared();
    /** One encoding per distinct operator, so that preparing many kernels does not fill the arena. */
    private final Map<Op, Optional<Encoding>> encodings = new HashMap<>();

    private final Map<Fused, Encoding> fusedEncodings = new HashMap<>();
    /** The pool takes one list at a time. */
    private final ReentrantLock running = new ReentrantLock();

    private final Set<NativePager> pagers = ConcurrentHashMap.newKeySet();

    private long pool;

    NativeKernels(NativeLevel level, CpuOptions options) {
        this.level = level;
        this.threads = options.threads();
        this.processors = options.processors();
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
        Optional<String> refusal = refusal(encoding.get(), op.all());
        if (refusal.isEmpty()) {
            return new Support.Native(name(encoding.get(), op.all()));
        }
        return switch (reference.supports(op)) {
            case Support.Native scalar -> new Support.Emulated(scalar.kernel(), level.name() + ": " + refusal.get());
            case Support other -> other;
        };
    }

    @Override
    public Kernel prepare(OpInstance op) {
        Optional<Encoding> encoding = encoding(op);
        if (encoding.isEmpty() || refusal(encoding.get(), op.all()).isPresent()) {
            return reference.prepare(op);
        }
        return launch(encoding.get(), op.all());
    }

    @Override
    public List<List<Class<? extends Op>>> chains() {
        return Fused.chains();
    }

    @Override
    public Optional<Kernel> fuse(NodeGroup group) {
        boolean alone = group.members().stream()
                .allMatch(m -> encoding(m.instance())
                        .filter(e -> refusal(e, m.instance().all()).isEmpty())
                        .isPresent());
        return Fused.of(group)
                .filter(fused -> alone)
                .map(this::encoding)
                .filter(e -> refusal(e, group.values()).isEmpty())
                .map(e -> launch(e, group.values()));
    }

    private Launch launch(Encoding e, List<TensorType> operands) {
        try (Arena scratch = Arena.ofConfined()) {
            long workspace = level.library()
                    .workspace(
                            level.isa(),
                            e.opcode(),
                            e.attributes(),
                            words(operands, scratch),
                            operands.size(),
                            threads);
            return new Launch(name(e, operands), workspace, e, this);
        }
    }

    @Override
    public Optional<WeightLayout.Packing> packing(OpInstance op, int operand, Workers workers) {
        return isPacked(op, operand)
                ? Optional.of(new PanelPacking(level, op.inputs().get(1), workers))
                : Optional.empty();
    }

    private boolean isPacked(OpInstance op, int operand) {
        boolean product = op.op() instanceof Gemm || op.op() instanceof GroupedGemm || op.op() instanceof ExpertGemm;
        return product
                && operand == 1
                && refusal(encoding(op).orElseThrow(), op.all()).isEmpty();
    }

    @Override
    public Optional<WeightLayout.Paging> paging(OpInstance op, int operand, Workers workers) {
        if (isPacked(op, operand)) {
            return Optional.of(
                    NativePaging.product(op, new PanelPacking(level, op.inputs().get(1), workers)));
        }
        boolean table = op.op() instanceof Gather
                && operand == 0
                && op.inputs().get(0).shape().rank() == 2
                && op.inputs().get(1).shape().rank() == 1
                && op.inputs().get(0).scaling().isNone()
                && refusal(encoding(op).orElseThrow(), op.all()).isEmpty();
        return table ? Optional.of(NativePaging.table(op.inputs().getFirst())) : Optional.empty();
    }

    @Override
    public WeightPager openPager(long slots, long slotBytes, long slotCount) {
        NativePager pager = new NativePager(level.library(), slots, slotBytes, slotCount, pagers::remove);
        pagers.add(pager);
        return pager;
    }

    private synchronized Optional<Encoding> encoding(OpInstance op) {
        return encodings.computeIfAbsent(op.op(), o -> Encoding.of(o, arena));
    }

    private synchronized Encoding encoding(Fused fused) {
        return fusedEncodings.computeIfAbsent(fused, f -> Encoding.of(f, arena));
    }

    private Optional<String> refusal(Encoding e, List<TensorType> operands) {
        try (Arena scratch = Arena.ofConfined()) {
            return NativeLevel.text(level.library()
                    .unsupported(level.isa(), e.opcode(), e.attributes(), words(operands, scratch), operands.size()));
        }
    }

    private String name(Encoding e, List<TensorType> operands) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment name =
                    level.library().kernelName(level.isa(), e.opcode(), words(operands, scratch), operands.size());
            return NativeLevel.text(name).orElseThrow() + "/" + level.name();
        }
    }

    /** Operand words at the largest extents, without addresses. */
    private static MemorySegment words(List<TensorType> operands, Arena scratch) {
        return new KernelArguments(operands, scratch).words();
    }

    /** Runs {@code count} commands at an address on the pool. @throws NativeCallException if one has no kernel */
    void run(long commands, long count) {
        running.lock();
        try {
            long failed = level.library().run(pool(), level.isa(), commands, count);
            if (failed < 0) {
                throw unreadable(commands + (-1 - failed) * COMMAND_WORDS * 8L, -1 - failed);
            }
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
            pool = createPool();
        }
        return pool;
    }

    private long createPool() {
        try (Arena scratch = Arena.ofConfined()) {
            int[] numbers = processors.stream().mapToInt(i -> i).toArray();
            long created = level.library()
                    .createPinnedPool(threads, scratch.allocateFrom(ValueLayout.JAVA_INT, numbers), numbers.length);
            if (created == 0) {
                throw new NativeCallException("weft_pool_create_pinned: no pool of " + threads
                        + " threads on processors " + processors + "; is there a limit on threads or processors?");
            }
            return created;
        }
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

    /** Processor that a thread of the pool is pinned to, -1 if there are several. */
    int processor(int thread) {
        running.lock();
        try {
            return pool == 0 ? -1 : level.library().poolProcessor(pool, thread);
        } finally {
            running.unlock();
        }
    }

    /** Why the weights of a command could not be read. */
    private WeftException unreadable(long command, long index) {
        MemorySegment what = HostMemory.segment(command, 8L * COMMAND_WORDS);
        int count = Encoding.isGated(what.getAtIndex(ValueLayout.JAVA_LONG, 0)) ? PAGED_GATED_OPERANDS : PAGED_OPERANDS;
        long operands = what.getAtIndex(ValueLayout.JAVA_LONG, OPERANDS_WORD);
        MemorySegment words = HostMemory.segment(operands, 8L * KernelArguments.WORDS * count);
        for (int i = 0; i < count; i++) {
            long scale = words.getAtIndex(ValueLayout.JAVA_LONG, (long) i * KernelArguments.WORDS + 1);
            for (NativePager pager : pagers) {
                Optional<WeftException> failure = pager.failure(scale);
                if (failure.isPresent()) {
                    return failure.get();
                }
            }
        }
        return new NativeCallException("weft_run on " + level.name() + ": command " + index
                + " names a paged weight of no open pager; were its weights closed?");
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
