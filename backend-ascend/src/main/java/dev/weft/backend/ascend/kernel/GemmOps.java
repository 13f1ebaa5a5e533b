package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.WeightLayout;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Matrix products with weights in checkpoint order {@code [out, in]}, read transposed. */
final class GemmOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            Gemm.class,
            List.of(
                    Way.of("aclnnQuantMatmulV5", GemmOps::blockScaled)
                            .needing(Profile.Capability.BLOCK_FP8)
                            .refusing((op, p) -> formats(op, DType.F8_E4M3, DType.F8_E4M3, "G-B"))
                            .packing((op, i, p) -> i == 1
                                    ? Optional.of(
                                            new BlockScaledWeight(op.inputs().get(1)))
                                    : Optional.empty()),
                    Way.of("aclnnQuantMatmulV5", GemmOps::microScaled)
                            .needing(Profile.Capability.BLOCK_FP8)
                            .refusing((op, p) -> formats(op, DType.F8_E4M3, DType.F4_E2M1, "MX A8W4"))
                            .refusing((op, p) -> wholePairs(op, "aclnnQuantMatmulV5")),
                    Way.of("aclnnFusedMatmul", GemmOps::narrowToWide)
                            .needing(Profile.Capability.MATMUL_16_TO_32)
                            .refusing(GemmOps::wideResultOfNarrow)
                            .packing((op, i, p) -> ComputeType.weight(op, i, DType.BF16))
                            .noting(op -> ComputeType.note(op, DType.BF16)),
                    Way.of("aclnnMatmul", GemmOps::plain).refusing(GemmOps::onlyPlain),
                    Way.composite(GemmOps::plain)
                            .packing((op, i, p) -> ComputeType.weight(op, i, ComputeType.of(op)))
                            .noting(op -> ComputeType.note(op, ComputeType.of(op)))),
            GroupedGemm.class,
            List.of(
                    Way.of("aclnnTransposeBatchMatMul", GemmOps::transposed)
                            .refusing((op, p) -> ComputeType.of(op)
                                            == op.outputs().getFirst().dtype()
                                    ? Optional.empty()
                                    : Optional.of("operands and result must have one dtype, found " + op
                                            + " (ops-nn docs aclnnTransposeBatchMatMul)"))
                            .packing((op, i, p) -> ComputeType.weight(op, i, ComputeType.of(op)))
                            .noting(op -> ComputeType.note(op, ComputeType.of(op))),
                    Way.composite(GemmOps::batched)
                            .packing((op, i, p) -> ComputeType.weight(op, i, ComputeType.of(op)))
                            .noting(op -> ComputeType.note(op, ComputeType.of(op)))));

    /** Group sizes of {@code aclnnQuantMatmulV5}: {@code K | N << 16 | M << 32}. */
    private static final long GROUPS_1_128_128 = 128L | 128L << 16 | 1L << 32;

    private static final long GROUPS_1_1_32 = 32L | 1L << 16 | 1L << 32;

    private GemmOps() {}

    private static Optional<String> formats(OpInstance op, DType x, DType w, String mode) {
        boolean fits = op.inputs().get(0).dtype() == x && op.inputs().get(1).dtype() == w;
        return fits
                ? Optional.empty()
                : Optional.of(mode + " takes " + x + " activations and " + w + " weights, found "
                        + op.inputs().get(0) + " and " + op.inputs().get(1) + " (ops-nn docs aclnnQuantMatmulV5)");
    }

    /** MX scales come in pairs of blocks. */
    static Optional<String> wholePairs(OpInstance op, String function) {
        long k = op.inputs().get(1).shape().last().maximum();
        return k % 64 == 0
                ? Optional.empty()
                : Optional.of(
                        "inner extent " + k + ": expected a multiple of 64, two scale blocks (docs " + function + ")");
    }

    private static Optional<String> wideResultOfNarrow(OpInstance op, Profile p) {
        boolean fits = op.outputs().getFirst().dtype() == DType.F32
                && op.inputs().get(0).dtype() != DType.F32
                && op.inputs().get(1).dtype() != DType.F32;
        return fits
                ? Optional.empty()
                : Optional.of("16cast32 takes BFLOAT16 operands and gives FLOAT, found " + op
                        + " (ops-nn docs aclnnFusedMatmul)");
    }

    private static Optional<String> onlyPlain(OpInstance op, Profile p) {
        DType out = op.outputs().getFirst().dtype();
        boolean fits = op.inputs().stream().allMatch(t -> t.dtype() == out);
        return fits
                ? Optional.empty()
                : Optional.of("operands and result must have one dtype, found " + op + " (ops-nn docs aclnnMatmul)");
    }

    /** The weight {@code [.., N, K]} in {@code type} as its packing left it, read as {@code [.., K, N]}. */
    static Ten weight(Emit e, DType type) {
        Ten w = e.operand(1);
        return Ten.dense(w.address(), AclType.of(type), w.dims()).transpose();
    }

    /** A dense target for operators that write no strides, and its copy to the result. */
    static Ten target(Emit e, Ten y, AclType type) {
        return y.isDense() && y.type() == type ? y : e.temp(type, y.dims());
    }

    static void deliver(Calls c, Ten target, Ten y) {
        if (target == y) {
            return;
        }
        if (target.type() == y.type()) {
            c.copy(target, y);
        } else {
            c.cast(target, y);
        }
    }

    private static void blockScaled(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten x = c.rows(e.operand(0));
        Ten y = e.operand(2);
        BlockScaledWeight w = new BlockScaledWeight(op.inputs().get(1));
        long address = e.operand(1).address();
        Ten scales = PowerScales.decode(c, e.scales(0)).view(x.dim(0), Math.ceilDiv(x.dim(1), 128));
        Ten target = target(e, y, y.type());
        Ten codes = w.codes(address);
        quantMatmul(e, x, codes, scales, w.scales(address), GROUPS_1_128_128, flat(target));
        deliver(c, target, y);
    }

    private static void microScaled(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten x = c.rows(e.operand(0));
        Ten y = e.operand(2);
        Ten w = e.operand(1);
        Ten scales = microScales(c, e.scales(0), x);
        Ten weightScales = e.scales(1).as(AclType.FLOAT8_E8M0).view(w.dim(0), w.dim(1) / 64, 2);
        Ten target = target(e, y, y.type());
        quantMatmul(e, x, c.dense(w), scales, weightScales, GROUPS_1_1_32, flat(target));
        deliver(c, target, y);
    }

    private static Ten flat(Ten y) {
        return y.view(y.elements() / y.dim(-1), y.dim(-1));
    }

    private static void quantMatmul(Emit e, Ten x, Ten w, Ten xScales, Ten wScales, long groups, Ten y) {
        e.call("aclnnQuantMatmulV5", x, w, xScales, wScales, null, null, null, null, null, false, true, groups, y);
    }

    /** Scale bytes of 128 columns repeated for each 32 of them: E8M0 {@code [rows, K/64, 2]}. */
    static Ten microScales(Calls c, Ten bytes, Ten x) {
        long blocks = x.dim(1) / 32;
        Ten scales = bytes.view(x.dim(0), bytes.dim(-1));
        Ten repeated = c.emit().temp(AclType.UINT8, x.dim(0), scales.dim(1), 4);
        c.copy(scales.view(x.dim(0), scales.dim(1), 1), repeated);
        Ten wanted = c.dense(repeated.view(x.dim(0), scales.dim(1) * 4).slice(1, 0, blocks));
        return wanted.as(AclType.FLOAT8_E8M0).view(x.dim(0), blocks / 2, 2);
    }

    private static void narrowToWide(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten x = c.rows(ComputeType.activation(c, op, DType.BF16));
        Ten y = e.operand(2);
        Ten target = target(e, y, AclType.FLOAT);
        Ten w = weight(e, DType.BF16);
        e.call("aclnnFusedMatmul", x, w, null, null, "16cast32", Calls.KEEP_PRECISION, flat(target));
        deliver(c, target, y);
    }

    private static void plain(OpInstance op, Emit e) {
        DType type = ComputeType.of(op);
        Calls c = new Calls(e);
        Ten x = c.rows(ComputeType.activation(c, op, type));
        Ten y = e.operand(2);
        Ten target = target(e, y, AclType.of(type));
        c.matmul(x, weight(e, type), flat(target));
        deliver(c, target, y);
    }

    /** x {@code [R, G, K]} by w {@code [G, N, K]}: rows and groups change places on the way in and out. */
    private static void transposed(OpInstance op, Emit e) {
        DType type = ComputeType.of(op);
        Calls c = new Calls(e);
        Ten x = c.dense(ComputeType.activation(c, op, type));
        Ten w = weight(e, type); // [G, K, N] by strides: A2 and A3 take no permutation of x2
        Ten y = e.operand(2);
        Ten target = target(e, y, AclType.of(type));
        long[] swap = {1, 0, 2};
        e.call(
                "aclnnTransposeBatchMatMul",
                x,
                w,
                null,
                null,
                swap,
                new long[] {0, 1, 2},
                swap,
                Calls.KEEP_PRECISION,
                1,
                target);
        deliver(c, target, y);
    }

    private static void batched(OpInstance op, Emit e) {
        DType type = ComputeType.of(op);
        Calls c = new Calls(e);
        Ten x = ComputeType.activation(c, op, type).permute(1, 0, 2);
        Ten y = e.operand(2);
        Ten products = e.temp(AclType.of(type), y.dim(1), y.dim(0), y.dim(2));
        c.matmul(x, weight(e, type), products);
        deliver(c, products.permute(1, 0, 2), y);
    }

    /** Scaling of FP8 activations. */
    static boolean isQuantised(TensorType x) {
        return x.scaling().equals(Scaling.FP8_GROUP_128);
    }

    /** The type in which a product is formed when its formats have no operator of their own. */
    static final class ComputeType {
        private ComputeType() {}

        /** BF16 where that is exact for both operands and the result is BF16, else F32. */
        static DType of(OpInstance op) {
            boolean wide = op.outputs().getFirst().dtype() == DType.F32
                    || op.inputs().get(0).dtype() == DType.F32
                    || op.inputs().get(1).dtype() == DType.F32;
            return wide ? DType.F32 : DType.BF16;
        }

        /** Layout of the weight in {@code type}; checkpoint order if it has that type already. */
        static Optional<WeightLayout.Packing> weight(OpInstance op, int operand, DType type) {
            TensorType w = op.inputs().get(operand);
            return operand == 1 && w.dtype() != type ? Optional.of(new ExpandedWeight(w, type)) : Optional.empty();
        }

        /** The activations in {@code type}. */
        static Ten activation(Calls c, OpInstance op, DType type) {
            TensorType x = op.inputs().get(0);
            Emit e = c.emit();
            return isQuantised(x)
                    ? PowerScales.dequantise(c, e.operand(0), x.dtype(), x.scaling(), e.scales(0), AclType.of(type))
                    : c.cast(e.operand(0), AclType.of(type));
        }

        /** What the detour costs. */
        static Optional<String> note(OpInstance op, DType type) {
            TensorType w = op.inputs().get(1);
            if (w.dtype() == type) {
                return Optional.empty();
            }
            return Optional.of("weights are kept in " + type + ", "
                    + type.bits() / (double) w.dtype().bits() + " times their size");
        }
    }
}
