package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * What a candidate writes the calls of one operator to. One implementation runs them, another counts the scratch they
 * need; both are driven by the same {@link Candidate#emit}, which therefore must not depend on anything but the operator,
 * the profile and the extents.
 */
public interface Emit {
    /** What the device can do. */
    Profile profile();

    /** Operand {@code i}, operands first and results after them, with the extents of this call. */
    Ten operand(int i);

    /** Scale bytes of operand {@code i} as UINT8 of shape {@link dev.weft.Scaling#scaleDims}. */
    Ten scales(int i);

    /** State operand {@code i} flattened to {@code [entries + 1, width]}: the last row takes writes that must not land. */
    Ten spare(int i);

    /** Scratch of this call, contents undefined, 64-byte aligned. */
    Ten temp(AclType type, long... dims);

    /**
     * A table that lives on the device as long as the device is open.
     *
     * @param id identity; equal ids must mean equal contents
     * @param fill writes the contents to host memory, called once per device
     */
    Ten constant(String id, AclType type, long[] dims, Consumer<MemorySegment> fill);

    /**
     * A value that operators of the same step compute alike, like the rows of a ring that its positions lie in: computed
     * at the first use and found again at later ones, in memory that lasts for the step. Without a step it is computed
     * anew.
     *
     * @param key identity; equal keys must mean equal values, so it holds every operand and number that goes in
     * @param reads the operands that go in: a write to one of them ends the sharing
     * @param body computes it; {@link #temp} within it is memory of the step. The value must not hold this emission
     */
    default <T> T shared(Object key, List<Ten> reads, Supplier<T> body) {
        return body.get();
    }

    /**
     * One call of an operator function.
     *
     * @param function name without the phase suffix, as in {@code aclnnAdd}
     * @param arguments in the order of the table of C functions, without workspace size and executor: {@link Ten},
     *     {@code List<Ten>}, {@link Number}, {@link Boolean}, {@link String}, {@code long[]} (aclIntArray),
     *     {@link Scalar}, {@link AclType} or null
     */
    void call(String function, Object... arguments);
}
