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
import java.util.function.Function;

/** Norms, Hadamard, and rotary embedding. */
final class NormOps {
    private static final int THREADS = 256;
    private static final int WARP = 32;

    /** Widest row of a warp; a wider one takes a block. */
    private static final long WARP_COLUMNS = 1024;

    /** Row of the fast rotation: the indexer's heads. */
    private static final long HADAMARD_COLUMNS = 128;

    /** Lanes that a thread moves at once. */
    private static final int RUN = 8;

    private static final int ROTARY_THREADS = 128;
    private static final int ROTARY_HEADS = 8;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            RmsNorm.class,
            norm("rmsNorm", "rms_norm", "rms_norm_simple", op -> ((RmsNorm) op).eps()),
            HeadNorm.class,
            norm("headNorm", "head_norm", "head_norm_simple", op -> ((HeadNorm) op).eps()),
            Hadamard.class,
            List.of(
                    Way.fast("hadamard", e -> warpPerRow(e, "hadamard_128")).refusing((op, chip) -> otherRow(op)),
                    Way.simple("hadamard", NormOps::hadamard).refusing(NormOps::wideRow)),
            Rotary.class,
            List.of(
                    Way.fast("rotary", NormOps::rotaryHeads)
                            .refusing((op, chip) -> unevenRow(op))
                            .attributes(NormOps::rotation),
                    Way.simple("rotary", NormOps::rotary).attributes(NormOps::rotation)));

    private NormOps() {}

    private static List<Way> norm(String name, String fast, String simple, Function<Op, Float> eps) {
        Function<OpInstance, Attributes> attributes =
                op -> Attributes.of(Double.doubleToRawLongBits(eps.apply(op.op())));
        return List.of(
                Way.fast(name, e -> rows(e, fast)).attributes(attributes),
                Way.simple(name, e -> e.launch("norm", simple, Grid.of(rows(e)), THREADS, 0))
                        .attributes(attributes));
    }

    /** Rows of operand 0. */
    private static long rows(Emit e) {
        return e.arguments().elements(0) / e.arguments().dim(0, -1);
    }

    private static void rows(Emit e, String function) {
        if (e.arguments().dim(0, -1) > WARP_COLUMNS) {
            e.launch("norm_fast", function + "_block", Grid.of(rows(e)), THREADS, 0);
        } else {
            warpPerRow(e, function + "_warp");
        }
    }

    private static void warpPerRow(Emit e, String function) {
        e.launch("norm_fast", function, Grid.covering(rows(e) * WARP, THREADS), THREADS, 0);
    }

    private static Optional<String> otherRow(OpInstance op) {
        long columns = op.inputs().getFirst().shape().last().maximum();
        return columns == HADAMARD_COLUMNS
                ? Optional.empty()
                : Optional.of("hadamard: rows of " + columns + " values: expected " + HADAMARD_COLUMNS);
    }

    private static void hadamard(Emit e) {
        int bytes = (int) e.arguments().dim(0, -1) * Float.BYTES;
        e.launch("norm", "hadamard", Grid.of(rows(e)), THREADS, bytes);
    }

    private static Optional<String> wideRow(OpInstance op, Chip chip) {
        long columns = op.inputs().getFirst().shape().last().maximum();
        return columns * Float.BYTES <= chip.sharedBytes()
                ? Optional.empty()
                : Optional.of("hadamard: a row of " + columns + " values exceeds the " + chip.sharedBytes()
                        + " bytes of shared memory of a block");
    }

    /** Runs of lanes must lie wholly inside or outside the rotated ones. */
    private static Optional<String> unevenRow(OpInstance op) {
        long columns = op.inputs().getFirst().shape().last().maximum();
        int dim = ((Rotary) op.op()).parameters().dim();
        return columns % RUN == 0 && dim % RUN == 0
                ? Optional.empty()
                : Optional.of("rotary: " + dim + " of " + columns + " lanes: expected multiples of " + RUN);
    }

    private static void rotaryHeads(Emit e) {
        KernelArguments a = e.arguments();
        long heads = a.rank(0) == 2 ? 1 : a.dim(0, 1);
        int pairs = ((Rotary) e.op().op()).parameters().dim() / 2;
        Grid grid = Grid.of(a.dim(0, 0) * Math.ceilDiv(heads, (long) ROTARY_HEADS));
        e.launch("norm_fast", "rotary_heads", grid, ROTARY_THREADS, pairs * 2 * Float.BYTES);
    }

    private static void rotary(Emit e) {
        KernelArguments a = e.arguments();
        long pairs = ((Rotary) e.op().op()).parameters().dim() / 2;
        long items = rows(e) * (a.dim(0, -1) - pairs);
        e.launch("norm", "rotary", Grid.covering(items, THREADS), THREADS, 0);
    }

    private static Attributes rotation(OpInstance op) {
        Rotary rotary = (Rotary) op.op();
        return new Attributes(
                List.of((long) rotary.parameters().dim(), rotary.inverse() ? 1L : 0L),
                List.of(rotary.parameters().inverseFrequencies()));
    }
}
