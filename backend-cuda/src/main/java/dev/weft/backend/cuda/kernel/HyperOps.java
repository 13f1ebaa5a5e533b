package dev.weft.backend.cuda.kernel;

import dev.weft.Shape;
import dev.weft.op.HyperHead;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Hyper-connections. */
final class HyperOps {
    private static final int THREADS = 256;
    private static final int WARP = 32;

    /** The fast kernels take rows of so many streams. */
    private static final int STREAMS = 4;

    /** Most coefficients of a row that the fast kernels add up. */
    private static final int MOST_MIXES = 127;

    /** Columns of a chunk of the projection. */
    static final int CHUNK = 1024;

    private static final int FEW_THREADS = 128;

    /** Rows from which on a block of the projection takes several of them, and all coefficients. */
    private static final int SOME_ROWS = 8;

    private static final int MANY_ROWS = 256;

    /** Rows of a warp, and most warps of a block. */
    private static final int ROW_TILE = 4;

    private static final int MOST_WARPS = 8;

    /** Coefficients of a row. */
    private static final int MIXES = (2 + STREAMS) * STREAMS;

    /** Shared memory per coefficient of a block: the weights of 128 columns, thrice. */
    private static final int MIX_BYTES = 3 * 128 * Float.BYTES;

    private static final int FINISH_THREADS = THREADS + WARP;
    private static final int POST_THREADS = 128;
    private static final int POST_COLUMNS = POST_THREADS * 8;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            HyperPre.class,
            List.of(
                    Way.fast("hyperPre", HyperOps::pre)
                            .refusing((op, chip) -> otherStreams(op, 0))
                            .scratch((op, chip) -> sums(op))
                            .attributes(HyperOps::preAttributes),
                    Way.simple("hyperPre", e -> mix(e, "hyper_pre_simple")).attributes(HyperOps::preAttributes)),
            HyperPost.class,
            List.of(
                    Way.fast("hyperPost", HyperOps::post).refusing((op, chip) -> otherStreams(op, 1)),
                    Way.simple("hyperPost", HyperOps::postSimple)),
            HyperHead.class,
            List.of(
                    Way.fast("hyperHead", HyperOps::head)
                            .refusing((op, chip) -> manyMixes(op))
                            .scratch((op, chip) -> sums(op))
                            .attributes(HyperOps::headAttributes),
                    Way.simple("hyperHead", e -> mix(e, "hyper_head_simple")).attributes(HyperOps::headAttributes)));

    private HyperOps() {}

    private static Attributes preAttributes(OpInstance instance) {
        HyperPre op = (HyperPre) instance.op();
        return Attributes.of(
                op.iterations(), Double.doubleToRawLongBits(op.normEps()), Double.doubleToRawLongBits(op.eps()));
    }

    private static Attributes headAttributes(OpInstance instance) {
        HyperHead op = (HyperHead) instance.op();
        return Attributes.of(Double.doubleToRawLongBits(op.normEps()), Double.doubleToRawLongBits(op.eps()));
    }

    private static Optional<String> otherStreams(OpInstance op, int operand) {
        long streams = op.inputs().get(operand).shape().dim(1).maximum();
        return streams == STREAMS
                ? Optional.empty()
                : Optional.of(op.op().name() + ": " + streams + " streams: expected " + STREAMS);
    }

    private static Optional<String> manyMixes(OpInstance op) {
        long mixes = op.inputs().get(1).shape().dim(0).maximum();
        return mixes <= MOST_MIXES
                ? Optional.empty()
                : Optional.of(op.op().name() + ": " + mixes + " coefficients: expected up to " + MOST_MIXES);
    }

    /** Bytes of the sums of every row, chunk, and coefficient or square. */
    private static long sums(OpInstance op) {
        Shape fn = op.inputs().get(1).shape();
        long rows = op.inputs().getFirst().shape().dim(0).maximum();
        return rows
                * Math.ceilDiv(fn.dim(1).maximum(), (long) CHUNK)
                * (fn.dim(0).maximum() + 1)
                * Float.BYTES;
    }

    private static void pre(Emit e) {
        project(e);
        e.launch("hyper_fast", "hyper_finish_pre", Grid.of(e.arguments().dim(0, 0)), FINISH_THREADS, 0);
    }

    /** Whether the projection is that of few rows, a warp per coefficient and chunk. */
    static boolean isFew(long rows) {
        return rows < SOME_ROWS;
    }

    /** Whether the projection is that of many rows, a block for all coefficients. */
    static boolean isMany(long rows) {
        return rows >= MANY_ROWS;
    }

    /** Chunks of the projection of a row's streams of {@code length} values. */
    static long chunks(long length) {
        return Math.ceilDiv(length, (long) CHUNK);
    }

    /** Writes the projection of HyperPre, whose rows are still to be finished. */
    static void project(Emit e) {
        KernelArguments a = e.arguments();
        long rows = a.dim(0, 0);
        if (isFew(rows)) {
            projectFew(e);
        } else if (!isMany(rows)) {
            projectTiles(e, "hyper_project_some", MIXES / 4);
        } else {
            projectTiles(e, "hyper_project_many", MIXES);
        }
    }

    private static void head(Emit e) {
        projectFew(e);
        e.launch("hyper_fast", "hyper_finish_head", Grid.of(e.arguments().dim(0, 0)), THREADS, 0);
    }

    private static void projectFew(Emit e) {
        KernelArguments a = e.arguments();
        long warps = a.dim(0, 0) * chunks(a.dim(1, 1)) * (a.dim(1, 0) + 1);
        e.launch("hyper_project", "hyper_project_few", Grid.covering(warps * WARP, FEW_THREADS), FEW_THREADS, 0);
    }

    /** Blocks of {@code tile} coefficients. */
    private static void projectTiles(Emit e, String function, int tile) {
        KernelArguments a = e.arguments();
        long rowTiles = Math.ceilDiv(a.dim(0, 0), (long) ROW_TILE);
        long warps = Math.min(rowTiles, MOST_WARPS);
        long chunks = chunks(a.dim(1, 1));
        Grid grid = Grid.of(chunks * (MIXES / tile) * Math.ceilDiv(rowTiles, warps));
        e.launch("hyper_project", function, grid, (int) warps * WARP, tile * MIX_BYTES);
    }

    /** One block per row, its coefficients in shared memory. */
    private static void mix(Emit e, String function) {
        KernelArguments a = e.arguments();
        e.launch("hyper", function, Grid.of(a.dim(0, 0)), THREADS, (int) a.dim(1, 0) * Float.BYTES);
    }

    private static void post(Emit e) {
        KernelArguments a = e.arguments();
        Grid grid = Grid.of(a.dim(1, 0) * Math.ceilDiv(a.dim(1, 2), (long) POST_COLUMNS));
        e.launch("hyper_fast", "hyper_post", grid, POST_THREADS, 0);
    }

    private static void postSimple(Emit e) {
        e.launch("hyper", "hyper_post_simple", Grid.covering(e.arguments().elements(4), THREADS), THREADS, 0);
    }
}
