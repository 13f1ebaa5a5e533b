package dev.weft.arrow;

import dev.weft.DType;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * How elements cross the border. Arrow has no BF16, FP8 and FP4: those travel as unsigned integers of the same bits, FP4
 * two to a byte, and the metadata {@code weft.dtype} says what they are.
 *
 * <p>Sources: Arrow C Data Interface, format strings; DLPack 1.1, {@code DLDataTypeCode}.
 */
enum ElementFormat {
    F32(DType.F32, "f", 2),
    F16(DType.F16, "e", 2),
    BF16(DType.BF16, "S", 4),
    F8_E4M3(DType.F8_E4M3, "C", 10),
    F8_E5M2(DType.F8_E5M2, "C", 12),
    F8_E8M0(DType.F8_E8M0, "C", 14),
    F4_E2M1(DType.F4_E2M1, "C", 17),
    I8(DType.I8, "c", 0),
    U8(DType.U8, "C", 1),
    I16(DType.I16, "s", 0),
    I32(DType.I32, "i", 0),
    I64(DType.I64, "l", 0);

    private final DType dtype;
    private final String arrow;
    private final int dlpack;

    ElementFormat(DType dtype, String arrow, int dlpack) {
        this.dtype = dtype;
        this.arrow = arrow;
        this.dlpack = dlpack;
    }

    static ElementFormat of(DType dtype) {
        return valueOf(dtype.name());
    }

    /** The dtype of plain Arrow data; null if Weft has none. */
    static @Nullable DType plain(String arrow) {
        return arrow.equals("C")
                ? DType.U8
                : Arrays.stream(values())
                        .filter(f -> f.arrow.equals(arrow) && f != BF16)
                        .map(f -> f.dtype)
                        .findFirst()
                        .orElse(null);
    }

    /** Format string of the C Data Interface. */
    String arrow() {
        return arrow;
    }

    /** Type code of DLPack; the bits are those of the dtype. */
    int dlpack() {
        return dlpack;
    }

    /** Elements in one Arrow value. */
    int perValue() {
        return dtype == DType.F4_E2M1 ? 2 : 1;
    }
}
