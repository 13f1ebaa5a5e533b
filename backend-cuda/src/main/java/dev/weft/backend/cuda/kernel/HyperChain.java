package dev.weft.backend.cuda.kernel;

import dev.weft.op.Gather;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.MoeCombine;
import dev.weft.op.Op;
import dev.weft.op.Quantize;
import dev.weft.op.RmsNorm;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.NodeGroup;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * From a sublayer into the next: sum over experts, exit of the hyper-connection, and the next one's entry with norm and
 * quantiser. Two launches, since what follows the projection needs the sums of all its chunks. Behind the last layer sum and
 * exit are one, with the choice of the rows that the head wants.
 *
 * @param combine which member is MoeCombine, {@link #ABSENT} if none
 * @param post which is HyperPost, or none
 * @param entry which is HyperPre, or none
 * @param norm which is RmsNorm, or none
 * @param quantize which is Quantize, or none
 * @param gather which is Gather, or none
 */
record HyperChain(int combine, int post, int entry, int norm, int quantize, int gather) {
    private static final int ABSENT = -1;

    /** Most choices of a block's rows that {@code hyper_enter} adds up; known to the kernel. */
    private static final long MOST_PLACES = 64;

    /** Most rows that the head wants which {@code hyper_leave} copies; known to the kernel. */
    private static final long MOST_WANTED = 64;

    /** Rows of a block where there are more than a few. */
    private static final long SOME = 8;

    /** Streams are moved in runs of so many values. */
    private static final long RUN = 8;

    /** Most blocks that share the coefficients of a chunk. */
    private static final long MOST_GROUPS = 4;

    /** Blocks of {@code hyper_enter} for each multiprocessor that are enough to share no more. */
    private static final int BLOCKS_EACH = 2;

    /** The chain that a group is; empty if it is none. */
    static Optional<HyperChain> of(NodeGroup group) {
        HyperChain c = new HyperChain(
                find(group, MoeCombine.class),
                find(group, HyperPost.class),
                find(group, HyperPre.class),
                find(group, RmsNorm.class),
                find(group, Quantize.class),
                find(group, Gather.class));
        return c.fits(group) ? Optional.of(c) : Optional.empty();
    }

    private static int find(NodeGroup group, Class<? extends Op> op) {
        return IntStream.range(0, group.members().size())
                .filter(i -> op.isInstance(group.members().get(i).instance().op()))
                .findFirst()
                .orElse(ABSENT);
    }

    private boolean fits(NodeGroup group) {
        long found = IntStream.of(combine, post, entry, norm, quantize, gather)
                .filter(i -> i != ABSENT)
                .count();
        boolean enters = entry != ABSENT && norm != ABSENT && gather == ABSENT;
        boolean leaves = combine != ABSENT && post != ABSENT && entry == ABSENT && norm == ABSENT;
        int size = group.members().size();
        if (found != size
                || !enters && !leaves
                || !IntStream.range(0, size - 1).allMatch(i -> Fusions.isHandedOn(group, i))) {
            return false;
        }
        var streams = group.members()
                .get(enters ? entry : post)
                .instance()
                .inputs()
                .get(enters ? 0 : 1)
                .shape();
        // the sum over experts goes on in registers: nobody else may want it
        boolean isHidden = combine == ABSENT
                || group.inner().contains(group.members().get(combine).result(0));
        return streams.dim(2).maximum() % RUN == 0 && isHidden && (gather == ABSENT || copies(group));
    }

    private boolean copies(NodeGroup group) {
        return group.members().get(gather).instance().outputs().getFirst().dtype()
                == group.members().get(post).instance().outputs().getFirst().dtype();
    }

    void emit(GroupEmit e) {
        KernelArguments streams = e.member(entry == ABSENT ? post : entry).arguments();
        long rows = entry == ABSENT ? streams.dim(1, 0) : streams.dim(0, 0);
        if (rows == 0) {
            gather(e);
            return;
        }
        long height = HyperOps.isFew(rows) ? 1 : SOME;
        if (post != ABSENT && !HyperOps.isMany(rows) && height * choices(e, rows) <= MOST_PLACES) {
            boolean gathers = gather != ABSENT && e.member(gather).arguments().dim(1, 0) <= MOST_WANTED;
            enter(e, rows, height, gathers);
            if (!gathers) {
                gather(e);
            }
        } else {
            IntStream.of(combine, post).filter(m -> m != ABSENT).forEach(e::alone);
            gather(e);
            if (entry != ABSENT) {
                HyperOps.project(e.member(entry));
            }
        }
        if (entry != ABSENT) {
            finish(e, rows);
        }
    }

    private void gather(GroupEmit e) {
        if (gather != ABSENT) {
            e.alone(gather);
        }
    }

    private long choices(GroupEmit e, long rows) {
        return combine == ABSENT ? 0 : e.member(combine).arguments().dim(1, 0) / rows;
    }

    private void enter(GroupEmit e, long rows, long height, boolean gathers) {
        Emit exit = e.member(post);
        long length = exit.arguments().dim(1, 1) * exit.arguments().dim(1, 2);
        long blocks = Math.ceilDiv(rows, height) * HyperOps.chunks(length);
        long enough = (long) BLOCKS_EACH * exit.chip().multiprocessors();
        long groups = entry == ABSENT ? 1 : Math.clamp(enough / blocks, 1, MOST_GROUPS);
        List<Part> parts = List.of(
                combine == ABSENT ? Part.NONE : Part.whole(combine),
                Part.whole(post, height, groups),
                entry == ABSENT ? Part.NONE : Part.whole(entry),
                gathers ? Part.whole(gather) : Part.NONE);
        int bytes = Math.toIntExact(
                height * HyperOps.CHUNK * exit.arguments().dtype(1).bits() / Byte.SIZE);
        String function = gathers ? "hyper_leave" : "hyper_enter";
        e.launch("hyper_enter", function, Grid.of(blocks * groups), RowsTogether.THREADS, bytes, parts);
    }

    /** The coefficients of the exit have blocks of their own, because their iterations take as long as the rest. */
    private void finish(GroupEmit e, long rows) {
        RowsTogether finish = new RowsTogether(e);
        RowsTogether.Chain chain =
                finish.chain(rows, 1).then(entry, RowPart.HYPER_ROW).then(norm, RowPart.RMS_NORM);
        if (quantize != ABSENT) {
            chain.then(quantize, RowPart.QUANTIZE);
        }
        finish.chain(rows, 1).then(entry, RowPart.HYPER_COEFFICIENTS);
        finish.launch();
    }
}
