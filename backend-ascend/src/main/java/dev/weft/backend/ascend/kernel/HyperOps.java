package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.HyperHead;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Hyper-connections. The last collapse has no operator of the vendor's and is composed. */
final class HyperOps {
    private static final String PRE = "ops-transformer docs aclnnMhcPreSinkhorn";
    private static final String POST = "ops-transformer docs aclnnMhcPost";

    /** Streams and iterations that the fused operator is built for. */
    private static final int STREAMS = 4;

    private static final int ITERATIONS = 20;

    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            HyperPre.class,
            List.of(
                    Way.of("aclnnMhcPreSinkhorn", HyperOps::sinkhorn).refusing(HyperOps::preForm),
                    Way.composite(HyperOps::pre)),
            HyperPost.class,
            List.of(
                    Way.of("aclnnMhcPost", HyperOps::mhcPost).refusing(HyperOps::postForm),
                    Way.composite(HyperOps::post)),
            HyperHead.class,
            List.of(Way.composite(HyperOps::head)));

    private HyperOps() {}

    private static Optional<String> preForm(OpInstance op, Profile p) {
        HyperPre o = (HyperPre) op.op();
        var x = op.inputs().getFirst();
        long width = x.shape().last().maximum();
        boolean widths = p.is950() ? width == 4096 || width == 7168 : width % 128 == 0;
        if (x.dtype() != DType.BF16 || o.streams() != STREAMS || o.iterations() != ITERATIONS) {
            return Optional.of("takes 4 BF16 streams and 20 iterations, found " + x.dtype() + ", " + o.streams() + ", "
                    + o.iterations() + " (" + PRE + ")");
        }
        return widths
                ? Optional.empty()
                : Optional.of("width " + width + ": expected "
                        + (p.is950() ? "4096 or 7168 on 950" : "a multiple of 128") + " (" + PRE + ")");
    }

    private static Optional<String> postForm(OpInstance op, Profile p) {
        var x = op.inputs().get(1);
        long width = x.shape().last().maximum();
        return x.dtype() == DType.BF16 && x.shape().dim(1).maximum() == STREAMS && width % 128 == 0
                ? Optional.empty()
                : Optional.of("takes 4 BF16 streams of a multiple of 128, found " + x + " (" + POST + ")");
    }

    /** With a batch axis, which A2 and A3 demand and 950 takes too. */
    private static Ten batched(Ten x) {
        long[] dims = new long[x.rank() + 1];
        dims[0] = 1;
        System.arraycopy(x.dims(), 0, dims, 1, x.rank());
        return x.view(dims);
    }

    private static void sinkhorn(OpInstance op, Emit e) {
        HyperPre o = (HyperPre) op.op();
        Calls c = new Calls(e);
        Ten x = c.dense(e.operand(0));
        long rows = x.dim(0);
        Ten comb = e.operand(6).view(rows, (long) STREAMS * STREAMS);
        long passes = 2L * ITERATIONS;
        e.call(
                "aclnnMhcPreSinkhorn",
                batched(x),
                c.dense(e.operand(1)),
                e.operand(2),
                e.operand(3),
                STREAMS,
                ITERATIONS,
                o.eps(),
                o.normEps(),
                false,
                batched(e.operand(4)),
                batched(e.operand(5)),
                batched(comb),
                // for the backward pass: places in the signature that are not written without it
                e.temp(AclType.FLOAT, 1, rows, STREAMS),
                e.temp(AclType.FLOAT, 1, rows, (2L + STREAMS) * STREAMS),
                e.temp(AclType.FLOAT, 1, rows, 1),
                e.temp(AclType.FLOAT, passes, 1, rows, STREAMS),
                e.temp(AclType.FLOAT, passes, 1, rows, STREAMS, STREAMS));
    }

    private static void mhcPost(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        e.call(
                "aclnnMhcPost",
                batched(c.dense(e.operand(1))),
                batched(c.dense(e.operand(3))),
                batched(c.dense(e.operand(0))),
                batched(c.dense(e.operand(2))),
                batched(e.operand(4)));
    }

    /** {@code fn . u} over the root mean square of u: F32 {@code [rows, mixes]}. */
    private static Ten mix(Calls c, Ten streams, Ten fn, float normEps) {
        Ten u = c.float32(streams).view(streams.dim(0), streams.dim(1) * streams.dim(2));
        Ten product = c.emit().temp(AclType.FLOAT, u.dim(0), fn.dim(0));
        c.matmul(u, fn.transpose(), product);
        Ten mean = c.scale(c.sum(c.mul(u, u)), 1f / u.dim(1));
        return c.div(product, c.sqrt(c.plus(mean, Scalar.of(normEps))));
    }

    /** Columns {@code [from, to)} of the mix times scale {@code s}, plus their bases. */
    private static Ten affine(Calls c, Ten mix, int s, Ten scale, Ten base, long from, long to) {
        Ten factor = scale.slice(0, s, s + 1).view(1, 1);
        return c.add(
                c.mul(mix.slice(1, from, to), factor), base.slice(0, from, to).view(1, to - from));
    }

    /** {@code sum_j weights_j * x_j}, streams ascending, each step rounded to F32. */
    private static void collapse(Calls c, Ten weights, Ten streams, Ten y) {
        Ten wide = c.float32(streams);
        Ten sum = null;
        for (int j = 0; j < streams.dim(1); j++) {
            Ten term = c.mul(wide.slice(1, j, j + 1).view(streams.dim(0), streams.dim(2)), weights.slice(1, j, j + 1));
            sum = sum == null ? term : c.add(sum, term);
        }
        c.round(sum, y);
    }

    private static void pre(OpInstance op, Emit e) {
        HyperPre o = (HyperPre) op.op();
        Calls c = new Calls(e);
        long h = o.streams();
        Ten x = c.dense(e.operand(0));
        Ten scale = e.operand(2);
        Ten base = e.operand(3);
        Ten mix = mix(c, x, e.operand(1), o.normEps());
        Ten weights = c.plus(c.sigmoid(affine(c, mix, 0, scale, base, 0, h)), Scalar.of(o.eps()));
        collapse(c, weights, x, e.operand(4));
        c.scale(c.sigmoid(affine(c, mix, 1, scale, base, h, 2 * h)), Scalar.of(2f), e.operand(5));
        Ten scores = affine(c, mix, 2, scale, base, 2 * h, (2 + h) * h).view(x.dim(0), h, h);
        c.copy(balance(c, scores, o), e.operand(6));
    }

    /** Sinkhorn's iteration: the softmax is the first pass over rows, columns come last. */
    private static Ten balance(Calls c, Ten scores, HyperPre o) {
        Scalar eps = Scalar.of(o.eps());
        Ten comb = c.plus(c.softmax(scores), eps);
        for (int i = 0; i < o.iterations(); i++) {
            if (i > 0) {
                comb = c.div(comb, c.plus(c.sum(comb), eps));
            }
            Ten columns = c.sum(comb.transpose());
            comb = c.div(comb, c.plus(columns, eps).transpose());
        }
        return comb;
    }

    private static void head(OpInstance op, Emit e) {
        HyperHead o = (HyperHead) op.op();
        Calls c = new Calls(e);
        Ten x = c.dense(e.operand(0));
        Ten mix = mix(c, x, e.operand(1), o.normEps());
        Ten scores = affine(c, mix, 0, e.operand(2), e.operand(3), 0, o.streams());
        collapse(c, c.plus(c.sigmoid(scores), Scalar.of(o.eps())), x, e.operand(4));
    }

    /** Streams one by one, since the order of the sum is the contract's. */
    private static void post(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten y = c.float32(e.operand(0));
        Ten x = c.float32(e.operand(1));
        Ten post = e.operand(2);
        Ten comb = e.operand(3);
        long rows = x.dim(0);
        long width = x.dim(2);
        Ten out = e.operand(4);
        Ten wide = c.wide(out);
        for (int k = 0; k < x.dim(1); k++) {
            Ten sum = c.mul(y, post.slice(1, k, k + 1));
            for (int j = 0; j < x.dim(1); j++) {
                Ten factor = comb.slice(1, j, j + 1).slice(2, k, k + 1).view(rows, 1);
                Ten term = c.mul(x.slice(1, j, j + 1).view(rows, width), factor);
                sum = c.add(sum, term);
            }
            c.copy(sum, wide.slice(1, k, k + 1).view(rows, width));
        }
        c.round(wide, out);
    }
}
