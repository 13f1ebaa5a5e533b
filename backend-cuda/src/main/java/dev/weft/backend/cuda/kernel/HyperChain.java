package dev.weft.backend.cuda.kernel;

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
 * quantiser. Two launches, since what follows the projection needs the sums of all its chunks.
 *
 * @param combine which member is MoeCombine, {@link #ABSENT} if none
 * @param post which is HyperPost, or none
 * @param entry which is HyperPre
 * @param norm which is RmsNorm
 * @param quantize which is Quantize, or none
 */
record HyperChain(int combine, int post, int entry, int norm, int quantize) {
    private static final int ABSENT = -1;

    /** Most choices of a row that {@code hyper_enter} adds up. */
    private static final long MOST_CHOICES = 64;

    /** Streams are moved in runs of so many values. */
    private static final long RUN = 8;

    /** Blocks that share the coefficients of a chunk; known to the kernel. */
    private static final int GROUPS = 4;

    /** The chain that a group is; empty if it is none. */
    static Optional<HyperChain> of(NodeGroup group) {
        HyperChain c = new HyperChain(
                find(group, MoeCombine.class),
                find(group, HyperPost.class),
                find(group, HyperPre.class),
                find(group, RmsNorm.class),
                find(group, Quantize.class));
        return c.fits(group) ? Optional.of(c) : Optional.empty();
    }

    private static int find(NodeGroup group, Class<? extends Op> op) {
        return IntStream.range(0, group.members().size())
                .filter(i -> op.isInstance(group.members().get(i).instance().op()))
                .findFirst()
                .orElse(ABSENT);
    }

    private boolean fits(NodeGroup group) {
        long found = IntStream.of(combine, post, entry, norm, quantize)
                .filter(i -> i != ABSENT)
                .count();
        if (found != group.members().size() || entry == ABSENT || norm == ABSENT) {
            return false;
        }
        var streams = group.members().get(entry).instance().inputs().getFirst().shape();
        // the sum over experts goes on in registers: nobody else may want it
        boolean isHidden = combine == ABSENT
                || group.inner().contains(group.members().get(combine).result(0));
        return streams.dim(2).maximum() % RUN == 0 && isHidden;
    }

    void emit(GroupEmit e) {
        KernelArguments a = e.member(entry).arguments();
        long rows = a.dim(0, 0);
        if (rows == 0) {
            return;
        }
        if (post != ABSENT && HyperOps.isFew(rows) && choices(e, rows) <= MOST_CHOICES) {
            enter(e, rows * HyperOps.chunks(a));
        } else {
            IntStream.of(combine, post).filter(m -> m != ABSENT).forEach(e::alone);
            HyperOps.project(e.member(entry));
        }
        finish(e, rows);
    }

    private long choices(GroupEmit e, long rows) {
        return combine == ABSENT ? 0 : e.member(combine).arguments().dim(1, 0) / rows;
    }

    private void enter(GroupEmit e, long chunks) {
        List<Part> parts =
                List.of(combine == ABSENT ? Part.NONE : Part.whole(combine), Part.whole(post), Part.whole(entry));
        e.launch("hyper_enter", "hyper_enter", Grid.of(chunks * GROUPS), RowsTogether.THREADS, 0, parts);
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
