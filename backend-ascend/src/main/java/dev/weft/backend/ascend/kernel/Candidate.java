package dev.weft.backend.ascend.kernel;

import dev.weft.op.OpInstance;
import dev.weft.spi.WeightLayout;
import java.util.List;
import java.util.Optional;

/** One way to run one operator: a fused function of the vendor's library, or a composition of simple ones. Stateless. */
public interface Candidate {
    /** Name of every composite candidate. */
    String COMPOSITE = "composite";

    /** Name of candidates that quantise weights and activations anew. */
    String INT8 = "int8";

    /** The leading function, or {@link #COMPOSITE}. */
    String name();

    /** Why it cannot run the instance on such a device, with the document that says so; empty if it can. */
    Optional<String> refuse(OpInstance op, Profile profile);

    /** The functions it calls, each of which must resolve; those of every profile that it does not refuse. */
    List<String> functions(OpInstance op);

    /** The layout in which it reads weight operand {@code operand}; empty for checkpoint order. */
    default Optional<WeightLayout.Packing> packing(OpInstance op, int operand, Profile profile) {
        return Optional.empty();
    }

    /** Writes the calls. */
    void emit(OpInstance op, Emit e);

    /** What differs from the formats of the instance, for {@link dev.weft.spi.Support.Emulated}; empty if nothing. */
    default Optional<String> note(OpInstance op) {
        return Optional.empty();
    }

    /** Whether it deviates from the checkpoint's numbers and runs only where that was asked for. */
    default boolean isDeviation() {
        return name().equals(INT8);
    }

    /** Whether it consists of simple functions only. */
    default boolean isComposite() {
        return name().equals(COMPOSITE);
    }
}
