package dev.weft.backend.ascend.abi;

/** {@code HcclReduceOp} (hccl/hccl_types.h). */
public enum HcclReduceOp {
    /** Sum. */
    SUM(0),
    /** Product. */
    PROD(1),
    /** Largest. */
    MAX(2),
    /** Smallest. */
    MIN(3);

    private final int value;

    HcclReduceOp(int value) {
        this.value = value;
    }

    /** The enumerator's value. */
    public int value() {
        return value;
    }
}
