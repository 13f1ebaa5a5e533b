package dev.weft.backend.cpu.vector;

import dev.weft.backend.cpu.JavaKernel;
import dev.weft.backend.cpu.KernelSet;
import dev.weft.backend.cpu.Workers;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.HyperPre;
import dev.weft.op.LightningIndex;
import dev.weft.op.OpInstance;
import dev.weft.op.RmsNorm;
import dev.weft.op.SparseAttention;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.Support;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** The operators that take the time, in the Vector API; the others run the kernels of {@code rest}. */
public final class VectorKernels implements KernelSet {
    private final KernelSet rest;
    private final Workers workers;
    private final Scratch[] scratch;
    private final Scratch shared = new Scratch();
    /** Scratch arrays serve one call at a time. */
    private final ReentrantLock running = new ReentrantLock();

    /**
     * @param rest kernels of the other operators; closed with this set
     * @param workers threads; closed with this set
     */
    public VectorKernels(KernelSet rest, Workers workers) {
        this.rest = rest;
        this.workers = workers;
        this.scratch = Stream.generate(Scratch::new).limit(workers.threads()).toArray(Scratch[]::new);
    }

    @Override
    public String description() {
        return "Java vectors of " + Lanes.SPECIES.vectorBitSize() + " bits";
    }

    @Override
    public String tier() {
        return "hardware";
    }

    @Override
    public int threads() {
        return workers.threads();
    }

    @Override
    public Support supports(OpInstance op) {
        return body(op).isPresent() ? new Support.Native(name(op)) : rest.supports(op);
    }

    @Override
    public Kernel prepare(OpInstance op) {
        return body(op).<Kernel>map(body -> new JavaKernel(name(op), 0, exclusive(body)))
                .orElseGet(() -> rest.prepare(op));
    }

    private static String name(OpInstance op) {
        return "vector/" + op.op().name();
    }

    private Consumer<KernelArguments> exclusive(Consumer<Operands> body) {
        return arguments -> {
            running.lock();
            try {
                body.accept(new Operands(arguments));
            } finally {
                running.unlock();
            }
        };
    }

    private Optional<Consumer<Operands>> body(OpInstance op) {
        return Optional.ofNullable(
                switch (op.op()) {
                    case Gemm o -> a -> VectorGemm.run(workers, scratch, shared, o, a);
                    case GroupedGemm o -> a -> VectorGemm.run(workers, scratch, shared, o, a);
                    case ExpertGemm o -> a -> VectorGemm.run(workers, scratch, shared, o, a);
                    case RmsNorm o -> a -> VectorNorm.run(workers, scratch, shared, o, a);
                    case SparseAttention o -> a -> VectorAttention.run(workers, scratch, o, a);
                    case HyperPre o -> a -> VectorHyper.run(workers, scratch, o, a);
                    case LightningIndex o -> a -> VectorIndex.run(workers, scratch, shared, o, a);
                    default -> null;
                });
    }

    @Override
    public void close() {
        workers.close();
        rest.close();
    }
}
