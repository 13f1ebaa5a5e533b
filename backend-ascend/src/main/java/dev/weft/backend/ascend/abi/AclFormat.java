package dev.weft.backend.ascend.abi;

/** The members of {@code aclFormat} (acl/acl_base_rt.h) that the backend uses. */
public enum AclFormat {
    /** Row-major with strides. */
    ND(2),
    /** Tiles of 16 rows by 32 bytes. */
    FRACTAL_NZ(29),
    /** Tiles of 16 rows by 16 elements. */
    FRACTAL_NZ_C0_16(50),
    /** Tiles of 16 rows by 32 elements. */
    FRACTAL_NZ_C0_32(51);

    private final int value;

    AclFormat(int value) {
        this.value = value;
    }

    /** The enumerator's value. */
    public int value() {
        return value;
    }
}
