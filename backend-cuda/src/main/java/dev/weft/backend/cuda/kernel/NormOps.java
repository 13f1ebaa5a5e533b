package dev.weft.backend.cuda.kernel;

import dev.weft.op.Hadamard;
import dev.weft.op.HeadNorm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.RmsNorm;
import dev.weft.op.Rotary;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Norms, Hadamard, and rotary embedding. */
final class NormOps {
    private static final int THREADS = 256;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            RmsNorm.class,
            List.of(Way.simple("rmsNorm", e -> perRow(e, "rms_norm_simple", 0))
                    .attributes(op -> eps(((RmsNorm) op.op()).eps()))),
            HeadNorm.class,
            List.of(Way.simple("headNorm", e -> perRow(e, "head_norm", 0))
                    .attributes(op -> eps(((HeadNorm) op.op()).eps()))),
            Hadamard.class,
            List.of(Way.simple(
                            "hadamard",
                            e -> perRow(e, "hadamard", (int) (e.arguments().dim(0, -1) * Float.BYTES)))
                    .refusing(NormOps::wideRow)),
            Rotary.class,
            List.of(Way.simple("rotary", NormOps::rotary).attributes(NormOps::rotation)));

    private NormOps() {}

    /** One block per row of operand 0. */
    private static void perRow(Emit e, String function, int sharedBytes) {
        long rows = e.arguments().elements(0) / e.arguments().dim(0, -1);
        e.launch("norm", function, Grid.of(rows), THREADS, sharedBytes);
    }

    private static Attributes eps(float eps) {
        return Attributes.of(Double.doubleToRawLongBits(eps));
    }

    private static Optional<String> wideRow(OpInstance op, Chip chip) {
        long columns = op.inputs().getFirst().shape().last().maximum();
        return columns * Float.BYTES <= chip.sharedBytes()
                ? Optional.empty()
                : Optional.of("hadamard: a row of " + columns + " values exceeds the " + chip.sharedBytes()
                        + " bytes of shared memory of a block");
    }

    private static void rotary(Emit e) {
        KernelArguments a = e.arguments();
        long columns = a.dim(0, -1);
        long pairs = ((Rotary) e.op().op()).parameters().dim() / 2;
        long items = a.elements(0) / columns * (columns - pairs);
        e.launch("norm", "rotary", Grid.covering(items, THREADS), THREADS, 0);
    }

    private static Attributes rotation(OpInstance op) {
        Rotary rotary = (Rotary) op.op();
        return new Attributes(
                List.of((long) rotary.parameters().dim(), rotary.inverse() ? 1L : 0L),
                List.of(rotary.parameters().inverseFrequencies()));
    }
}
