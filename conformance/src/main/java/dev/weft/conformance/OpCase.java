package dev.weft.conformance;

import dev.weft.TensorType;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.regex.Pattern;

/**
 * One operator call of the suite: attributes, operands with contents, and whether results have gaps between rows.
 *
 * @param op the operator
 * @param operands its operands
 * @param pitchedResults whether rows of the results lie apart; results that update a state never do
 * @param note what is special about the case, empty if nothing
 */
public record OpCase(Op op, List<Operand> operands, boolean pitchedResults, String note) {
    /** Dtypes among the attributes, which print like those of operands. */
    private static final Pattern DTYPE = Pattern.compile("\\b(F32|BF16|F8_E4M3|F4_E2M1)\\b");

    /** An odd number: no two seeds are one. */
    private static final long SEEDS_APART = 0x9E3779B97F4A7C15L;

    public OpCase {
        operands = List.copyOf(operands);
    }

    /** A case with tight results. */
    public static OpCase of(Op op, Operand... operands) {
        return new OpCase(op, List.of(operands), false, "");
    }

    /** This case with a note for its name. */
    public OpCase noted(String note) {
        return new OpCase(op, operands, pitchedResults, note);
    }

    /** This case with gaps between the rows of the given operands and of the results. */
    public OpCase withGaps(int... which) {
        List<Operand> copy = new ArrayList<>(operands);
        for (int i : which) {
            copy.set(i, copy.get(i).withGaps());
        }
        return new OpCase(op, copy, true, note);
    }

    /** The instance a device is asked about. */
    public OpInstance instance() {
        return OpInstance.of(op, operands.stream().map(Operand::type).toList());
    }

    /**
     * The operands in host memory. Contents follow from the text of the case, so that adding cases changes no other, and from
     * the seed.
     */
    List<HostTensor> materialise(Arena arena, long seed) {
        SplittableRandom random = new SplittableRandom(toString().hashCode() + SEEDS_APART * seed);
        List<HostTensor> tensors = new ArrayList<>();
        for (Operand o : operands) {
            HostTensor t = HostTensor.poisoned(o.type(), o.gap(), arena);
            o.data().fill(t, random.split());
            tensors.add(t);
        }
        return tensors;
    }

    /** The operands in host memory, rows without gaps. */
    public List<HostTensor> tight(Arena arena) {
        return new OpCase(
                        op,
                        operands.stream()
                                .map(o -> Operand.of(o.type(), o.data()))
                                .toList(),
                        false,
                        note)
                .materialise(arena, OpRunner.SUITE);
    }

    /** Elements between the rows of result {@code i}. */
    long resultGap(int i) {
        TensorType type = instance().outputs().get(i);
        return pitchedResults && op.updates(i) < 0 && type.shape().rank() > 1 ? Operand.gapOf(type) : 0;
    }

    @Override
    public String toString() {
        List<String> parts = new ArrayList<>();
        for (int i = 0; i < operands.size(); i++) {
            Operand o = operands.get(i);
            parts.add(op.operands().get(i) + "=" + o.type() + (o.pitched() ? " pitched" : ""));
        }
        String attributes = op.toString().replaceFirst("^\\w+\\[", "").replaceFirst("]$", "");
        if (!attributes.isEmpty()) {
            parts.add(DTYPE.matcher(attributes).replaceAll(m -> m.group().toLowerCase(Locale.ROOT)));
        }
        if (pitchedResults) {
            parts.add("results pitched");
        }
        return op.name() + "(" + String.join(", ", parts) + (note.isEmpty() ? ")" : "; " + note + ")");
    }
}
