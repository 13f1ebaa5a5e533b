package dev.weft.backend.ascend;

import dev.weft.NativeCallException;
import dev.weft.backend.ascend.abi.AbiFunction;
import dev.weft.backend.ascend.abi.AbiParameter;
import dev.weft.backend.ascend.abi.CannLibraries;
import dev.weft.backend.ascend.abi.Resolution;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodType;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** The two-phase operator functions of an installation, bound at their first use. */
final class Operators {
    private static final String FIRST_PHASE = "GetWorkspaceSize";
    private static final List<String> PHASES = List.of(FIRST_PHASE, "");

    /** Parameters of every first phase that the caller does not give: workspace size and executor. */
    private static final int ANSWERS = 2;

    private final CannLibraries libraries;
    private final Map<String, Operator> bound = new ConcurrentHashMap<>();

    Operators(CannLibraries libraries) {
        this.libraries = libraries;
    }

    /**
     * A bound operator.
     *
     * @param name function without phase, as in {@code aclnnAdd}
     * @param parameters of the first phase that the caller gives
     * @param plan first phase, called with an {@code Object[]}
     * @param run second phase: workspace, its bytes, executor, stream
     */
    record Operator(String name, List<AbiParameter> parameters, MethodHandle plan, MethodHandle run) {
        int plan(Object[] arguments) {
            try {
                return (int) plan.invokeExact(arguments);
            } catch (RuntimeException | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new AssertionError(e);
            }
        }
    }

    /** Why {@code name} cannot be called, empty if it can. */
    Optional<String> absence(String name) {
        return PHASES.stream()
                .map(phase -> name + phase)
                .filter(function -> !libraries.resolve(function).bound())
                .findFirst()
                .map(function -> function + " is " + libraries.resolve(function).describe());
    }

    /** What became of the first function of {@code name} that is not bound, empty if both are. */
    Optional<Resolution> unbound(String name) {
        return PHASES.stream()
                .map(phase -> libraries.resolve(name + phase))
                .filter(resolution -> !resolution.bound())
                .findFirst();
    }

    /** The operator of that name. @throws dev.weft.BackendUnavailableException if it is not bound, with the reason */
    Operator operator(String name) {
        Operator known = bound.get(name);
        if (known == null) {
            known = bind(name);
            bound.put(name, known);
        }
        return known;
    }

    private Operator bind(String name) {
        AbiFunction first = libraries.table().function(name + FIRST_PHASE);
        List<AbiParameter> all = first.parameters();
        int given = all.size() - ANSWERS;
        if (given < 0 || !all.getLast().type().text().startsWith("aclOpExecutor")) {
            throw new NativeCallException(first.signature() + ": is no first phase of an operator");
        }
        MethodHandle plan = libraries.handle(first.name());
        MethodHandle spread = plan.asType(
                        MethodType.genericMethodType(all.size()).changeReturnType(int.class))
                .asSpreader(Object[].class, all.size());
        return new Operator(name, all.subList(0, given), spread, libraries.handle(name));
    }
}
