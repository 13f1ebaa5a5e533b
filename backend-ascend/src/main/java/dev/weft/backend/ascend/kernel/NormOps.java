package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.Hadamard;
import dev.weft.op.HeadNorm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.RmsNorm;
import dev.weft.op.Softmax;
import dev.weft.spi.WeightLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reductions along the last axis, and the product with the Hadamard matrix. */
final class NormOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            RmsNorm.class,
            List.of(
                    Way.of("aclnnRmsNorm", NormOps::rmsNorm).packing(NormOps::wideWeight),
                    Way.composite(NormOps::rmsNormSimple).packing(NormOps::wideWeight)),
            HeadNorm.class,
            List.of(
                    Way.of("aclnnRmsNorm", NormOps::headNorm)
                            .noting(op -> op.inputs().getFirst().dtype() == DType.F32
                                    ? Optional.empty()
                                    : Optional.of("intermediate values are not rounded to the flow's dtype")),
                    Way.composite(NormOps::headNormSimple)),
            Softmax.class,
            List.of(Way.of("aclnnSoftmax", NormOps::softmax), Way.composite(NormOps::softmaxSimple)),
            Hadamard.class,
            List.of(
                    Way.of("aclnnFusedMatmul", NormOps::hadamardCast)
                            .needing(Profile.Capability.MATMUL_16_TO_32)
                            .refusing(NormOps::onlyBf16),
                    Way.composite(NormOps::hadamard)));

    private NormOps() {}

    /** Norm weights are kept in F32: then the operators round once, whatever the flow. */
    private static Optional<WeightLayout.Packing> wideWeight(OpInstance op, int operand, Profile p) {
        TensorType w = op.inputs().get(operand);
        return operand == 1 && w.dtype() == DType.BF16
                ? Optional.of(new ExpandedWeight(w, DType.F32))
                : Optional.empty();
    }

    private static Ten weight(Emit e) {
        return Ten.dense(e.operand(1).address(), AclType.FLOAT, e.operand(1).dims());
    }

    private static void rmsNorm(OpInstance op, Emit e) {
        normalise(e, ((RmsNorm) op.op()).eps(), weight(e), e.operand(2));
    }

    private static void headNorm(OpInstance op, Emit e) {
        long width = e.operand(0).dim(-1);
        float[] ones = new float[(int) width];
        Arrays.fill(ones, 1);
        normalise(e, ((HeadNorm) op.op()).eps(), new Calls(e).floats("ones " + width, ones, width), e.operand(1));
    }

    private static void normalise(Emit e, float eps, Ten weight, Ten y) {
        Calls c = new Calls(e);
        Ten target = y.isDense() ? y : e.temp(y.type(), y.dims());
        rmsNorm(c, c.dense(e.operand(0)), weight, eps, target);
        if (target != y) {
            c.copy(target, y);
        }
    }

    /** Dense rows {@code x} normalised to dense {@code y}. @param weight F32 */
    static void rmsNorm(Calls c, Ten x, Ten weight, float eps, Ten y) {
        long[] rstd = x.dims().clone();
        rstd[rstd.length - 1] = 1;
        c.emit().call("aclnnRmsNorm", x, weight, (double) eps, y, c.emit().temp(AclType.FLOAT, rstd));
    }

    /** {@code 1/sqrt(mean(x^2) + eps)} of an F32 tensor. */
    static Ten inverseRms(Calls c, Ten x, float eps) {
        Ten mean = c.scale(c.sum(c.mul(x, x)), 1f / x.dim(-1));
        return c.reciprocal(c.sqrt(c.plus(mean, Scalar.of(eps))));
    }

    private static void rmsNormSimple(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten x = c.float32(e.operand(0));
        Ten unit = c.mul(x, inverseRms(c, x, ((RmsNorm) op.op()).eps()));
        Ten y = e.operand(2);
        Ten wide = c.wide(y);
        c.mul(unit, weight(e), wide);
        c.round(wide, y);
    }

    /** Each value is rounded where the contract rounds: casts between the steps, all arithmetic in F32. */
    private static void headNormSimple(OpInstance op, Emit e) {
        float eps = ((HeadNorm) op.op()).eps();
        Calls c = new Calls(e);
        Ten given = e.operand(0);
        Ten y = e.operand(1);
        Ten x = c.float32(given);
        AclType flow = given.type();
        Ten mean = c.scale(c.sum(rounded(c, c.mul(x, x), flow)), 1f / x.dim(-1));
        Ten sum = rounded(c, c.plus(rounded(c, mean, flow), Scalar.of(eps)), flow);
        Ten r = rounded(c, c.reciprocal(c.sqrt(sum)), flow);
        Ten wide = c.wide(y);
        c.mul(x, r, wide);
        c.round(wide, y);
    }

    /** F32 values rounded to {@code flow} and widened again. */
    static Ten rounded(Calls c, Ten x, AclType flow) {
        return flow == AclType.FLOAT ? x : c.float32(c.cast(x, flow));
    }

    /** Rows without a finite value give zeros, where the operator would give NaN. */
    private static void softmax(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten x = e.operand(0);
        Ten y = e.operand(1);
        Ten p = e.temp(x.type(), x.dims());
        e.call("aclnnSoftmax", x, -1L, p);
        zeroMasked(c, c.max(x), p, y);
    }

    private static void zeroMasked(Calls c, Ten max, Ten p, Ten y) {
        Ten masked = c.equal(max, c.constant(max.type(), Float.NEGATIVE_INFINITY, max.rank()));
        c.select(masked, c.constant(p.type(), 0, p.rank()), p, y);
    }

    private static void softmaxSimple(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten x = c.float32(e.operand(0));
        Ten y = e.operand(1);
        Ten max = c.max(x);
        Ten powers = c.exp(c.sub(x, max));
        Ten wide = c.wide(y);
        zeroMasked(c, max, c.div(powers, c.sum(powers)), wide);
        c.round(wide, y);
    }

    private static Optional<String> onlyBf16(OpInstance op, Profile p) {
        DType d = op.inputs().getFirst().dtype();
        return d == DType.BF16
                ? Optional.empty()
                : Optional.of("16cast32 takes FLOAT16 and BFLOAT16, found " + d + " (ops-nn docs aclnnFusedMatmul)");
    }

    /** Signs of the Sylvester matrix, exact in every type; the factor follows in F32. */
    private static Ten signs(Calls c, int n, AclType type) {
        Emit e = c.emit();
        return e.constant("hadamard " + n + " " + type, type, new long[] {n, n}, s -> {
            for (int i = 0; i < n * n; i++) {
                float sign = Integer.bitCount(i / n & i % n) % 2 == 0 ? 1 : -1;
                HostValues.set(s, type, i, sign);
            }
        });
    }

    private static void hadamardCast(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten x = c.rows(e.operand(0));
        Ten product = e.temp(AclType.FLOAT, x.dims());
        Ten matrix = signs(c, (int) x.dim(-1), AclType.BF16);
        e.call("aclnnFusedMatmul", x, matrix, null, null, "16cast32", Calls.KEEP_PRECISION, product);
        normaliseSigns(c, product, e.operand(1));
    }

    private static void hadamard(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        normaliseSigns(c, signed(c, c.float32(c.rows(e.operand(0)))), e.operand(1));
    }

    /** Sums with signs of F32 rows. */
    private static Ten signed(Calls c, Ten rows) {
        Ten product = c.emit().temp(AclType.FLOAT, rows.dims());
        c.matmul(rows, signs(c, (int) rows.dim(-1), AclType.FLOAT), product);
        return product;
    }

    /** The transform of F32 rows. */
    static Ten hadamard(Calls c, Ten rows) {
        return c.scale(signed(c, rows), (float) (1 / Math.sqrt(rows.dim(-1))));
    }

    private static void normaliseSigns(Calls c, Ten product, Ten y) {
        float factor = (float) (1 / Math.sqrt(product.dim(-1)));
        Ten wide = c.wide(y);
        c.scale(product.view(y.dims()), Scalar.of(factor), wide);
        c.round(wide, y);
    }
}
