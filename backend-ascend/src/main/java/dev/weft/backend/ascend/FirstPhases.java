package dev.weft.backend.ascend;

import dev.weft.NativeCallException;
import dev.weft.ShapeException;
import dev.weft.UnsupportedOpException;
import dev.weft.WeftException;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.backend.ascend.abi.Resolution;
import dev.weft.backend.ascend.kernel.AscendOps;
import dev.weft.backend.ascend.kernel.Candidate;
import dev.weft.backend.ascend.kernel.Profile;
import dev.weft.backend.ascend.kernel.Ten;
import dev.weft.op.OpInstance;
import dev.weft.spi.VendorFunctions.Answer;
import dev.weft.spi.VendorFunctions.Finding;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * Asks the installed operators whether they take the calls of a candidate: their first phase at the largest extents, with
 * addresses that stand for none, since it plans on the host and looks at no data. For the device's thread.
 */
final class FirstPhases {
    private final Profile profile;
    private final SizeRule rule;
    private final Operators operators;
    private final OpCaller caller;

    FirstPhases(Profile profile, SizeRule rule, Operators operators, OpCaller caller) {
        this.profile = profile;
        this.rule = rule;
        this.operators = operators;
        this.caller = caller;
    }

    /** Receives a call instead of the device. */
    private interface Asking {
        void call(String function, Object[] arguments);
    }

    /** Why one of the candidate's calls is not taken, empty if all are. */
    Optional<String> refusal(Candidate candidate, OpInstance op) {
        try {
            emit(candidate, op, caller::probe);
            return Optional.empty();
        } catch (UnsupportedOpException | ShapeException | NativeCallException e) {
            Finding finding = finding(e);
            return Optional.of((finding == Finding.FAILED ? "" : finding + ": ") + e.getMessage());
        }
    }

    /** About every function of every candidate that the product's documents allow; see {@link dev.weft.spi.VendorFunctions}. */
    List<Answer> ask(List<OpInstance> instances) {
        Map<String, Answer> answers = new TreeMap<>();
        for (OpInstance op : instances) {
            for (Candidate candidate : AscendOps.candidates(op.op())) {
                if (candidate.refuse(op, profile).isEmpty()) {
                    emit(candidate, op, (function, arguments) ->
                            answers.merge(function, answer(function, arguments), FirstPhases::both));
                }
            }
        }
        return List.copyOf(answers.values());
    }

    private Answer answer(String function, Object[] arguments) {
        Optional<Resolution> absent = operators.unbound(function);
        if (absent.isPresent()) {
            return new Answer(function, finding(absent.get()), 1, absent.get().describe());
        }
        try {
            caller.probe(function, arguments);
            return new Answer(function, Finding.ACCEPTED, 1, "");
        } catch (UnsupportedOpException | ShapeException | NativeCallException e) {
            return new Answer(function, finding(e), 1, String.valueOf(e.getMessage()));
        }
    }

    private static Answer both(Answer first, Answer second) {
        Answer graver = second.finding().compareTo(first.finding()) > 0 ? second : first;
        return new Answer(first.function(), graver.finding(), first.calls() + second.calls(), graver.detail());
    }

    private static Finding finding(Resolution unbound) {
        return switch (unbound) {
            case Resolution.Missing m -> Finding.MISSING;
            case Resolution.Mismatch m -> Finding.MISMATCH;
            case Resolution.Unverified u -> Finding.UNVERIFIED;
            case Resolution.Bound b -> throw new IllegalArgumentException(b.describe());
        };
    }

    private static Finding finding(WeftException e) {
        return switch (e) {
            case UnsupportedOpException u -> Finding.REFUSED;
            case ShapeException s -> Finding.BAD_SHAPE;
            default -> Finding.FAILED;
        };
    }

    private void emit(Candidate candidate, OpInstance op, Asking asking) {
        Emission.Target target = new Emission.Target() {
            @Override
            public void call(String function, Object[] arguments) {
                asking.call(function, arguments);
            }

            @Override
            public Ten constant(String id, AclType type, long[] dims, Consumer<MemorySegment> fill) {
                return Emission.nothing().constant(id, type, dims, fill);
            }
        };
        try (Arena arena = Arena.ofConfined()) {
            candidate.emit(
                    op,
                    new Emission(
                            profile,
                            rule,
                            Emission.nowhere(op, arena),
                            Emission.NOWHERE,
                            Long.MAX_VALUE >> 1,
                            target));
        }
    }
}
