package dev.weft.backend.ascend;

import dev.weft.UnsupportedOpException;
import dev.weft.backend.ascend.kernel.AscendOps;
import dev.weft.backend.ascend.kernel.Candidate;
import dev.weft.backend.ascend.kernel.Profile;
import dev.weft.op.Collective;
import dev.weft.op.OpInstance;
import dev.weft.spi.Support;
import dev.weft.spi.WeightLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Chooses the candidate that runs an operator instance: the first whose documents allow the instance on this product,
 * whose functions are bound, and which the installed operators accept.
 */
final class Kernels {
    private final AscendDevice device;
    private final Profile profile;
    private final Operators operators;
    private final String variant;
    private final Map<OpInstance, Choice> choices = new ConcurrentHashMap<>();

    /** @param variant of the device, see {@link AscendBackend} */
    Kernels(AscendDevice device, Profile profile, Operators operators, String variant) {
        this.device = device;
        this.profile = profile;
        this.operators = operators;
        this.variant = variant;
    }

    /** What became of an instance. */
    private sealed interface Choice {}

    private record Chosen(Candidate candidate) implements Choice {}

    /** @param reasons of every candidate */
    private record None(String reasons) implements Choice {}

    private Choice choose(OpInstance op) {
        Choice known = choices.get(op);
        if (known == null) {
            known = look(op);
            choices.put(op, known);
        }
        return known;
    }

    private Choice look(OpInstance op) {
        List<String> reasons = new ArrayList<>();
        for (Candidate candidate : candidates(op)) {
            Optional<String> refusal = candidate
                    .refuse(op, profile)
                    .or(() -> absence(candidate, op))
                    .or(() -> device.refusal(candidate, op));
            if (refusal.isEmpty()) {
                return new Chosen(candidate);
            }
            reasons.add(candidate.name() + ": " + refusal.get());
        }
        return new None(reasons.isEmpty() ? without(op) : String.join("; ", reasons));
    }

    private static String without(OpInstance op) {
        return op.op() instanceof Collective
                ? "a collective, which the group of the ranks runs; a single device needs no kernel for it"
                : "no operators of CANN are known for it";
    }

    private List<Candidate> candidates(OpInstance op) {
        List<Candidate> all = AscendOps.candidates(op.op());
        List<Candidate> simple = all.stream().filter(Candidate::isComposite).toList();
        return switch (variant) {
            case AscendBackend.COMPOSITE -> simple.isEmpty() ? all : simple;
            case AscendBackend.INT8 -> all;
            default -> all.stream().filter(c -> !c.isDeviation()).toList();
        };
    }

    private Optional<String> absence(Candidate candidate, OpInstance op) {
        return candidate.functions(op).stream()
                .map(operators::absence)
                .flatMap(Optional::stream)
                .findFirst();
    }

    Support supports(OpInstance op) {
        return switch (choose(op)) {
            case None none -> new Support.Unsupported(none.reasons());
            case Chosen chosen -> {
                String name = name(chosen.candidate(), op);
                yield chosen.candidate()
                        .note(op)
                        .<Support>map(note -> new Support.Emulated(name, note))
                        .orElseGet(() -> new Support.Native(name));
            }
        };
    }

    /** Name for placement tables, as in {@code rmsNorm/aclnnRmsNorm}. */
    static String name(Candidate candidate, OpInstance op) {
        return op.op().name() + "/" + candidate.name();
    }

    /** The candidate for a supported instance. @throws UnsupportedOpException with all reasons if there is none */
    Candidate candidate(OpInstance op) {
        return switch (choose(op)) {
            case Chosen chosen -> chosen.candidate();
            case None none ->
                throw new UnsupportedOpException(op + " on " + device.info().id() + ": " + none.reasons());
        };
    }

    Optional<WeightLayout.Packing> packing(OpInstance op, int operand) {
        return choose(op) instanceof Chosen chosen
                ? chosen.candidate().packing(op, operand, profile)
                : Optional.empty();
    }
}
