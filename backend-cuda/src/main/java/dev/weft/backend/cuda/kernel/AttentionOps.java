package dev.weft.backend.cuda.kernel;

import dev.weft.DType;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.SparseAttention;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Sparse attention: on tensor cores, or a block of threads per row and head. */
final class AttentionOps {
    private static final int SIMPLE_THREADS = 128;
    private static final int THREADS = 256;

    /** Head widths that the kernel on tensor cores is compiled for: the family's, and those of small models. */
    private static final Set<Integer> WIDTHS = Set.of(64, 192, 512);

    private static final int Q = 0;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            SparseAttention.class,
            List.of(
                    Way.fast("sparseAttention", AttentionOps::fast)
                            .attributes(AttentionOps::attributes)
                            .scratch((op, chip) -> scratch(op))
                            .refusing(AttentionOps::refusal),
                    Way.simple("sparseAttention", AttentionOps::simple).attributes(AttentionOps::attributes)));

    private AttentionOps() {}

    private static Attributes attributes(OpInstance instance) {
        SparseAttention op = (SparseAttention) instance.op();
        return Attributes.of(op.window(), op.ratio(), op.reach().ordinal(), Double.doubleToRawLongBits(op.scale()));
    }

    private static void simple(Emit e) {
        KernelArguments a = e.arguments();
        int bytes = Math.toIntExact(Float.BYTES * a.dim(Q, 2));
        Grid grid = Grid.of(a.dim(Q, 0), a.dim(Q, 1));
        e.launch("attention", "sparse_attention_simple", grid, SIMPLE_THREADS, bytes);
    }

    private static Optional<String> refusal(OpInstance op, Chip chip) {
        int width = width(op);
        if (op.inputs().get(Q).dtype() != DType.BF16 || !WIDTHS.contains(width)) {
            return Optional.of(
                    "needs BF16 and heads " + WIDTHS.stream().sorted().toList() + " wide: found "
                            + op.inputs().get(Q));
        }
        if (!chip.hasBf16Mma() || !AttentionPlan.fits(width, chip)) {
            return Optional.of("needs BF16 tensor cores and shared memory for a tile of keys: found " + chip);
        }
        return Optional.empty();
    }

    private static void fast(Emit e) {
        AttentionPlan plan = lists(e);
        if (plan.splits() > 0) {
            KernelArguments a = e.arguments();
            Grid grid = Grid.of(a.dim(Q, 0), a.dim(Q, 1));
            e.launch("attention_mma", "sparse_attention_combine", grid, width(e.op()) / 2, 0, 1, plan.splits());
        }
    }

    /** Writes the launch that walks the lists; where the plan has splits, their results are still to be merged. */
    static AttentionPlan lists(Emit e) {
        AttentionPlan plan = plan(e);
        int stages = plan.stages(e.chip());
        e.launch(
                "attention_mma",
                "sparse_attention_" + plan.width() + "_" + plan.headTiles(),
                grid(e, plan),
                THREADS,
                plan.sharedBytes(stages),
                stages,
                plan.splits());
        return plan;
    }

    /** Writes the launch that walks the lists of member 0 and rotates what comes out as member 1 does; false if lists are split. */
    static boolean rotated(GroupEmit e) {
        Emit lists = e.member(0);
        AttentionPlan plan = plan(lists);
        if (plan.splits() > 0) {
            return false;
        }
        int stages = plan.stages(lists.chip());
        e.launch(
                "attention_rotated",
                "rotated_attention_" + plan.width() + "_" + plan.headTiles(),
                grid(lists, plan),
                THREADS,
                plan.sharedBytes(stages),
                List.of(Part.whole(0, stages, 0), Part.whole(1)));
        return true;
    }

    private static AttentionPlan plan(Emit e) {
        KernelArguments a = e.arguments();
        return AttentionPlan.choose(a.dim(Q, 0), a.dim(Q, 1), width(e.op()), tiles(e.op()), e.chip());
    }

    private static Grid grid(Emit e, AttentionPlan plan) {
        KernelArguments a = e.arguments();
        return new Grid(a.dim(Q, 0), plan.headGroups(a.dim(Q, 1)), Math.max(1, plan.splits()));
    }

    private static int width(OpInstance op) {
        return Math.toIntExact(op.inputs().get(Q).shape().dim(2).maximum());
    }

    /** Tiles of keys in the longest list. */
    private static long tiles(OpInstance op) {
        double keys = ((SparseAttention) op.op()).keys(op.inputs());
        return Math.ceilDiv((long) keys, AttentionPlan.KEYS);
    }

    /** For each head of each split two floats, in all a multiple of 16 bytes, and a row of floats. */
    private static long scratch(OpInstance op) {
        long heads = op.inputs().get(Q).shape().dim(1).maximum();
        long rows = op.inputs().get(Q).shape().dim(0).maximum();
        long splits = Math.min(rows * tiles(op), AttentionPlan.MOST_SPLITS);
        return splits * heads * (width(op) + 2L) * Float.BYTES + 2 * Float.BYTES;
    }
}
