package dev.weft.backend.cpu;

import dev.weft.UnsupportedOpException;
import dev.weft.op.OpInstance;
import dev.weft.reference.Reference;
import dev.weft.spi.Kernel;
import dev.weft.spi.Support;
import java.util.Optional;

/** The readable scalar kernels, single-threaded: the rung every other one is held against. */
final class ReferenceKernels implements KernelSet {
    @Override
    public String description() {
        return "scalar Java";
    }

    @Override
    public int threads() {
        return 1;
    }

    @Override
    public String tier() {
        return "reference";
    }

    @Override
    public Support supports(OpInstance op) {
        Optional<String> reason = Reference.unsupported(op);
        return reason.isPresent() ? new Support.Unsupported(reason.get()) : new Support.Native(name(op));
    }

    @Override
    public Kernel prepare(OpInstance op) {
        Reference.unsupported(op).ifPresent(reason -> {
            throw new UnsupportedOpException(op + ": " + reason);
        });
        return new JavaKernel(name(op), 0, arguments -> Reference.run(op, arguments));
    }

    private static String name(OpInstance op) {
        return "reference/" + op.op().name();
    }
}
