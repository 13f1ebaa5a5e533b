package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

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
                    Way.composite(ExpertOps::grouped)
                            .refusing(ExpertOps::onlyBf16)
                            .packing((op, i, p) -> GemmOps.ComputeType.weight(op, i, DType.BF16))
                            .noting(op -> GemmOps.ComputeType.note(op, DType.BF16)),
                    Way.composite(ExpertOps::masked)
                            .refusing(ExpertOps::fewExperts)
                            .packing((op, i, p) -> GemmOps.ComputeType.weight(op, i, DType.F32))
                            .noting(op -> Optional.of("every expert multiplies every row, for want of a grouped product"
                                    + " in F32"))));

    /** Experts whose dense products over all rows are still worth it. */
    private static final int MOST_DENSE_EXPERTS = 32;

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

    private static Optional<String> onlyBf16(OpInstance op, Profile p) {
        long experts = op.inputs().get(1).shape().dim(0).maximum();
        return GemmOps.ComputeType.of(op) == DType.BF16 && experts <= MOST_GROUPS
                ? Optional.empty()
                : Optional.of("unquantised grouped products take BFLOAT16 and up to " + MOST_GROUPS + " groups, found " + op
                        + " (ops-transformer docs aclnnGroupedMatmulV5)");
    }

    private static Optional<String> fewExperts(OpInstance op, Profile p) {
        long experts = op.inputs().get(1).shape().dim(0).maximum();
        return experts <= MOST_DENSE_EXPERTS
                ? Optional.empty()
                : Optional.of("no grouped product in F32 (ops-transformer docs aclnnGroupedMatmulV5), and dense products of "
                        + experts + " experts, above " + MOST_DENSE_EXPERTS + ", would waste nearly all their work");
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
        Ten x = c.rows(e.operand(0));
        Ten scales = GemmOps.microScales(c, e.scales(0), x);
        Ten y = e.operand(3);
        Ten target = GemmOps.target(e, y, y.type());
        List<Object> arguments = new ArrayList<>(operands(x, w.tiles(address), w.scales(address), scales, groupEnds(c)));
        arguments.add(MX_GROUP);
        arguments.addAll(results(target));
        e.call("aclnnGroupedMatmulWeightNz", arguments.toArray());
        GemmOps.deliver(c, target, y);
    }

    private static void grouped(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten x = c.dense(GemmOps.ComputeType.activation(c, op, DType.BF16));
        Ten y = e.operand(3);
        Ten target = GemmOps.target(e, y, AclType.BF16);
        List<Object> arguments =
                new ArrayList<>(operands(x, GemmOps.weight(e, DType.BF16), null, null, groupEnds(c)));
        arguments.addAll(results(target));
        e.call("aclnnGroupedMatmulV5", arguments.toArray());
        GemmOps.deliver(c, target, y);
    }

    /** Arguments x to tuningConfig, alike in both functions. */
    private static List<Object> operands(Ten x, Ten w, Ten weightScales, Ten rowScales, Ten ends) {
        List<Ten> antiquant = weightScales == null ? null : List.of(weightScales);
        List<Ten> perToken = rowScales == null ? null : List.of(rowScales);
        return Arrays.asList(
                List.of(x),
                List.of(w),
                null,
                null,
                null,
                antiquant,
                null,
                perToken,
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

    private static List<Object> results(Ten y) {
        return Arrays.asList(List.of(y), null, null);
    }

    /** From the last expert down, each takes over the rows before its end: the first whose end is past a row wins. */
    private static void masked(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten x = c.rows(GemmOps.ComputeType.activation(c, op, DType.F32));
        Ten w = GemmOps.weight(e, DType.F32);
        Ten y = e.operand(3);
        long rows = x.dim(0);
        Ten ends = e.operand(2);
        Ten row = rowNumbers(e, op.inputs().get(0).shape().dim(0).maximum()).slice(0, 0, rows);
        Ten[] sums = {e.temp(AclType.FLOAT, rows, w.dim(2)), e.temp(AclType.FLOAT, rows, w.dim(2))};
        Ten product = e.temp(AclType.FLOAT, rows, w.dim(2));
        int experts = (int) w.dim(0);
        for (int i = experts - 1; i >= 0; i--) {
            Ten to = i == experts - 1 ? sums[i & 1] : product;
            c.matmul(x, w.slice(0, i, i + 1).view(w.dim(1), w.dim(2)), to);
            if (i < experts - 1) {
                Ten mine = e.temp(AclType.BOOL, rows, 1);
                e.call("aclnnLtTensor", row, ends.slice(0, i + 1, i + 2).view(1, 1), mine);
                c.select(mine, product, sums[i + 1 & 1], sums[i & 1]);
            }
        }
        GemmOps.deliver(c, sums[0], y);
    }

    private static Ten rowNumbers(Emit e, long rows) {
        return e.constant("row numbers " + rows, AclType.INT32, new long[] {rows, 1}, s -> {
            for (int i = 0; i < rows; i++) {
                s.setAtIndex(ValueLayout.JAVA_INT_UNALIGNED, i, i);
            }
        });
    }
}
