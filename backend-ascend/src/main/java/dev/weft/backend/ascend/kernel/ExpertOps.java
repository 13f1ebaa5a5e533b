package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Products of rows sorted by expert. */
final class ExpertOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            ExpertGemm.class,
            List.of(
                    Way.of("aclnnGroupedMatmulWeightNz", ExpertOps::tiles)
                            .needing(Profile.Capability.EXPERTS_A8W4)
                            .refusing(ExpertOps::tileFormats)
                            .packing((op, i, p) -> i == 1
                                    ? Optional.of(new ExpertWeight(op.inputs().get(1)))
                                    : Optional.empty()),
                    Way.of("aclnnGroupedMatmulV5", ExpertOps::blockScaled)
                            .needing(Profile.Capability.BLOCK_FP8)
                            .refusing(ExpertOps::blockFormats)
                            .packing((op, i, p) -> i == 1
                                    ? Optional.of(
                                            new BlockScaledWeight(op.inputs().get(1)))
                                    : Optional.empty()),
                    Way.of(Candidate.INT8, ExpertOps::int8)
                            .needing(Profile.Capability.INT8_EXPERTS)
                            .refusing(ExpertOps::int8Formats)
                            .packing((op, i, p) -> i == 1
                                    ? Optional.of(new Int8Weight(op.inputs().get(1)))
                                    : Optional.empty())
                            .noting(op -> Optional.of("weights quantised anew to INT8 by row, activations to INT8 by"
                                    + " token: not the checkpoint's numbers")),
                    simple(ExpertOps::plain),
                    simple(ExpertOps::plainOfCann81)));

    private static Way simple(Way.Body body) {
        return Way.composite(body)
                .refusing(ExpertOps::groups)
                .packing((op, i, p) -> GemmOps.ComputeType.weight(op, i, GemmOps.ComputeType.of(op)))
                .noting(op -> GemmOps.ComputeType.note(op, GemmOps.ComputeType.of(op)));
    }

    /** {@code groupType}: groups of rows. */
    private static final long ROW_GROUPS = 0;

    /** {@code groupListType}: where each group ends. */
    private static final long GROUP_ENDS = 0;

    /** {@code splitItem}: one result tensor. */
    private static final long ONE_RESULT = 3;

    private static final long NO_ACTIVATION = 0;
    private static final long MX_GROUP = 32;
    private static final int MOST_GROUPS = 1024;

    private ExpertOps() {}

    private static Optional<String> tileFormats(OpInstance op, Profile p) {
        TensorType x = op.inputs().get(0);
        TensorType w = op.inputs().get(1);
        long[] dims = w.shape().maximum();
        boolean fits = GemmOps.isQuantised(x)
                && w.dtype() == DType.F4_E2M1
                && op.outputs().getFirst().dtype() == DType.BF16
                && dims[1] % 64 == 0
                && dims[2] % 64 == 0
                && dims[0] <= MOST_GROUPS;
        return fits
                ? Optional.empty()
                : Optional.of("MX A8W4 takes FP8 activations, FP4 weights whose extents are multiples of 64 and a BF16"
                        + " result, found " + op + " (ops-transformer docs aclnnGroupedMatmulWeightNz)");
    }

    private static Optional<String> blockFormats(OpInstance op, Profile p) {
        boolean fits = GemmOps.isQuantised(op.inputs().get(0))
                && op.inputs().get(1).scaling().equals(Scaling.FP8_BLOCK_128);
        return fits
                ? groups(op, p)
                : Optional.of("G-B takes FP8 activations and FP8 weights, found " + op
                        + " (ops-transformer docs aclnnGroupedMatmulV5)");
    }

    private static Optional<String> groups(OpInstance op, Profile p) {
        long experts = op.inputs().get(1).shape().dim(0).maximum();
        return experts <= MOST_GROUPS
                ? Optional.empty()
                : Optional.of(experts + " experts: at most " + MOST_GROUPS
                        + " groups are expected (ops-transformer docs aclnnGroupedMatmulV5)");
    }

    /** INT64 end of each expert's rows. */
    private static Ten groupEnds(Calls c) {
        Ten offsets = c.emit().operand(2);
        return c.cast(offsets.slice(0, 1, offsets.dim(0)), AclType.INT64);
    }

    private static void tiles(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        ExpertWeight w = new ExpertWeight(op.inputs().get(1));
        long address = e.operand(1).address();
        Ten x = c.dense(e.operand(0));
        Ten scales = GemmOps.microScales(c, e.scales(0), x);
        List<Object> operands = operands(x, w.tiles(address), null, w.scales(address), scales, groupEnds(c));
        call(
                c,
                "aclnnGroupedMatmulWeightNz",
                operands,
                List.of(MX_GROUP),
                e.operand(3).type());
    }

    private static void blockScaled(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        BlockScaledWeight w = new BlockScaledWeight(op.inputs().get(1));
        long address = e.operand(1).address();
        Ten x = c.dense(e.operand(0));
        Ten scales = PowerScales.decode(c, e.scales(0));
        Ten codes = w.allCodes(address).transpose();
        List<Object> operands = operands(x, codes, w.allScales(address), null, scales, groupEnds(c));
        call(c, "aclnnGroupedMatmulV5", operands, List.of(), e.operand(3).type());
    }

    private static Optional<String> int8Formats(OpInstance op, Profile p) {
        boolean fits = op.outputs().getFirst().dtype() == DType.BF16
                && op.inputs().get(0).dtype() != DType.F32;
        return fits
                ? groups(op, p)
                : Optional.of("A8W8 gives BF16 results, found " + op + " (ops-transformer docs aclnnGroupedMatmulV5)");
    }

    /** Activations by token, weights by row. */
    private static void int8(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Int8Weight w = new Int8Weight(op.inputs().get(1));
        long address = e.operand(1).address();
        Ten x = c.dense(GemmOps.ComputeType.activation(c, op, DType.BF16));
        Ten codes = e.temp(AclType.INT8, x.dims());
        Ten scales = e.temp(AclType.FLOAT, x.dim(0));
        e.call("aclnnDynamicQuant", x, null, codes, scales);
        List<Object> operands = operands(codes, w.codes(address), w.scales(address), null, scales, groupEnds(c));
        call(c, "aclnnGroupedMatmulV5", operands, List.of(), AclType.BF16);
    }

    private static void plain(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        call(c, "aclnnGroupedMatmulV5", plainOperands(op, c), List.of(), AclType.of(GemmOps.ComputeType.of(op)));
    }

    /** By the newest form that CANN 8.1 has, which takes no tuningConfig. */
    private static void plainOfCann81(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        List<Object> operands = plainOperands(op, c);
        List<Object> older = operands.subList(0, operands.size() - 1);
        call(c, "aclnnGroupedMatmulV4", older, List.of(), AclType.of(GemmOps.ComputeType.of(op)));
    }

    private static List<Object> plainOperands(OpInstance op, Calls c) {
        DType type = GemmOps.ComputeType.of(op);
        Ten x = c.dense(GemmOps.ComputeType.activation(c, op, type));
        return operands(x, GemmOps.weight(c.emit(), type), null, null, null, groupEnds(c));
    }

    /** The call with a dense result of type {@code type}, and its way to the operator's result. */
    private static void call(Calls c, String function, List<Object> operands, List<Object> more, AclType type) {
        Ten y = c.emit().operand(3);
        Ten target = GemmOps.target(c.emit(), y, type);
        List<Object> arguments = new ArrayList<>(operands);
        arguments.addAll(more);
        arguments.addAll(Arrays.asList(List.of(target), null, null));
        c.emit().call(function, arguments.toArray());
        GemmOps.deliver(c, target, y);
    }

    /** Arguments x to tuningConfig, alike in both functions; absent scales are null. */
    private static List<Object> operands(
            Ten x, Ten w, @Nullable Ten scale, @Nullable Ten antiquantScale, @Nullable Ten rowScale, Ten ends) {
        return Arrays.asList(
                List.of(x),
                List.of(w),
                null,
                list(scale),
                null,
                list(antiquantScale),
                null,
                list(rowScale),
                ends,
                null,
                null,
                null,
                ONE_RESULT,
                ROW_GROUPS,
                GROUP_ENDS,
                NO_ACTIVATION,
                null);
    }

    private static @Nullable List<Ten> list(@Nullable Ten t) {
        return t == null ? null : List.of(t);
    }
}
