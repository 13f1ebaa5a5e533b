package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Sample;
import dev.weft.op.TopK;
import java.util.List;
import java.util.Map;

/** Choices among the columns of a row. */
final class SelectOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            TopK.class,
            List.of(Way.composite(SelectOps::topK)),
            Sample.class,
            List.of(Way.none("no operator draws from cumulative sums in F64 with ties by id; the nearest,"
                    + " aclnnTopKTopPSampleV2, fixes neither (ops-nn docs)")));

    private SelectOps() {}

    private static void topK(OpInstance op, Emit e) {
        long k = ((TopK) op.op()).k();
        Calls c = new Calls(e);
        Ten x = c.dense(e.operand(0));
        Ten best = descending(c, key(c, c.float32(x))).slice(-1, 0, k);
        c.cast(best, e.operand(2));
        e.call("aclnnGather", x, -1L, c.dense(best), e.operand(1));
    }

    /**
     * INT32 in the order of F32 values: aclnnTopk leaves the order of equal values open, and where sorts put NaN is nowhere
     * written. A negative float's bits count downwards from the sign, which also joins the two zeros; NaN takes the
     * smallest integer.
     */
    static Ten key(Calls c, Ten values) {
        Ten bits = values.as(AclType.INT32);
        Ten least = c.constant(AclType.INT32, Integer.MIN_VALUE, values.rank());
        Ten signed = c.select(c.atLeast(bits, Scalar.of(0)), bits, c.sub(least, bits));
        return c.select(c.equal(values, values), signed, least);
    }

    /** INT64 columns of the keys from the largest on, equal ones in ascending order of columns. */
    static Ten descending(Calls c, Ten keys) {
        Emit e = c.emit();
        Ten order = e.temp(AclType.INT64, keys.dims());
        e.call("aclnnSort", keys, true, -1L, true, e.temp(AclType.INT32, keys.dims()), order);
        return order;
    }
}
