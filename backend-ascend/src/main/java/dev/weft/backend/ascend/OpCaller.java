package dev.weft.backend.ascend;

import dev.weft.NativeCallException;
import dev.weft.ShapeException;
import dev.weft.UnsupportedOpException;
import dev.weft.WeftException;
import dev.weft.backend.ascend.Operators.Operator;
import dev.weft.backend.ascend.abi.AbiParameter;
import dev.weft.backend.ascend.abi.AclFormat;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.backend.ascend.abi.CType;
import dev.weft.backend.ascend.kernel.Scalar;
import dev.weft.backend.ascend.kernel.Ten;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Makes two-phase operator calls on a device's thread. The first phase checks the arguments and answers the bytes of
 * workspace and an executor; the second appends the work to a stream and uses the executor up, whatever it returns.
 */
final class OpCaller implements AutoCloseable {
    private static final long ANSWER_BYTES = 16;

    private final Acl acl;
    private final Health health;
    private final Operators operators;
    private final HostObjects objects;

    /** For the calling thread. */
    OpCaller(Acl acl, Health health, Operators operators) {
        this.acl = acl;
        this.health = health;
        this.operators = operators;
        this.objects = new HostObjects(acl, health);
    }

    /** What the first phase answers. */
    record Plan(long workspaceBytes, MemorySegment executor) {}

    /**
     * Appends one operator to a stream.
     *
     * @param function name without phase
     * @param arguments as {@link dev.weft.backend.ascend.kernel.Emit#call} takes them
     * @param stream receives the work
     * @param workspace gives the memory that the operator asks for
     * @throws WeftException typed by the return code, naming function, arguments, code and CANN's message
     */
    void launch(String function, Object[] arguments, AscendStream stream, Workspace workspace) {
        Operator operator = operators.operator(function);
        try {
            Plan plan = plan(operator, arguments);
            append(operator, plan, arguments, room(operator, plan, stream, workspace), stream);
        } catch (NativeCallException | UnsupportedOpException | ShapeException e) {
            throw whenAlive(e, stream, workspace);
        } finally {
            objects.clear();
        }
    }

    /** Address of the workspace; without it the executor is discarded. */
    private long room(Operator operator, Plan plan, AscendStream stream, Workspace workspace) {
        try {
            return workspace.of(plan.workspaceBytes());
        } catch (RuntimeException | Error e) {
            discard(operator, plan, stream.handle());
            throw e;
        }
    }

    private void append(Operator operator, Plan plan, Object[] arguments, long address, AscendStream stream) {
        stream.operators().add(operator.name());
        int code = run(operator, address, plan, stream.handle());
        if (code != AclErrors.OK) {
            throw health.failure(code, describe(operator.name(), arguments));
        }
    }

    /** The failure itself, unless it came because earlier work has ended the context. */
    private static WeftException whenAlive(WeftException e, AscendStream stream, Workspace workspace) {
        if (!workspace.isFrozen()) { // a stream that is being captured must not be asked
            stream.requireAlive();
        }
        return e;
    }

    /**
     * An executor that is kept, with the objects of its first phase: operators that were written by hand read addresses
     * from the tensors themselves (opbase source), so that they must live as long.
     *
     * @param operator whose executor it is
     * @param plan of the first phase
     * @param arguments of the call
     * @param objects of the first phase
     */
    record Kept(Operator operator, Plan plan, Object[] arguments, List<HostObjects.Made> objects) {}

    /**
     * As {@link #launch}, keeping the executor for {@link #again} where the operator allows it: it must be made repeatable
     * right after the first phase, which refuses operators that copy or rearrange their operands (opbase docs
     * aclSetAclOpExecutorRepeatable). Operators that are given a text keep none: nothing says how long they read it.
     *
     * @return null where the executor is used up
     */
    @Nullable
    Kept keep(String function, Object[] arguments, AscendStream stream, Workspace workspace) {
        if (Arrays.stream(arguments).anyMatch(String.class::isInstance)) {
            launch(function, arguments, stream, workspace);
            return null;
        }
        Operator operator = operators.operator(function);
        try {
            Plan plan = plan(operator, arguments);
            if (acl.aclSetAclOpExecutorRepeatable(plan.executor()) == AclErrors.OK) {
                return keep(new Kept(operator, plan, arguments, objects.take()), stream, workspace);
            }
            health.recentMessage();
            append(operator, plan, arguments, room(operator, plan, stream, workspace), stream);
            return null;
        } catch (NativeCallException | UnsupportedOpException | ShapeException e) {
            throw whenAlive(e, stream, workspace);
        } finally {
            objects.clear();
        }
    }

    private Kept keep(Kept kept, AscendStream stream, Workspace workspace) {
        try {
            again(kept, stream, workspace);
            return kept;
        } catch (RuntimeException | Error e) {
            release(kept);
            throw e;
        }
    }

    /** The second phase of a kept executor once more. */
    void again(Kept kept, AscendStream stream, Workspace workspace) {
        try {
            long address = workspace.of(kept.plan().workspaceBytes());
            append(kept.operator(), kept.plan(), kept.arguments(), address, stream);
        } catch (NativeCallException | UnsupportedOpException | ShapeException e) {
            throw whenAlive(e, stream, workspace);
        }
    }

    /** Ends a kept executor and its objects. */
    void release(Kept kept) {
        destroy(kept.plan());
        objects.destroy(kept.objects());
    }

    private void destroy(Plan plan) {
        health.note(acl.aclDestroyAclOpExecutor(plan.executor()), "aclDestroyAclOpExecutor");
    }

    /** Asks whether the first phase accepts the call, without running it. @throws WeftException as {@link #launch} */
    void probe(String function, Object[] arguments) {
        Operator operator = operators.operator(function);
        try {
            discard(operator, plan(operator, arguments), MemorySegment.NULL);
        } finally {
            objects.clear();
        }
    }

    private Plan plan(Operator operator, Object[] arguments) {
        List<AbiParameter> parameters = operator.parameters();
        if (parameters.size() != arguments.length) {
            throw new NativeCallException(operator.name() + ": found " + arguments.length + " arguments, expected "
                    + parameters.size() + ": " + parameters);
        }
        MemorySegment answer = objects.allocate(ANSWER_BYTES).fill((byte) 0);
        Object[] all = new Object[arguments.length + 2];
        for (int i = 0; i < arguments.length; i++) {
            all[i] = convert(operator, parameters.get(i), arguments[i]);
        }
        all[arguments.length] = answer;
        all[arguments.length + 1] = answer.asSlice(8);
        int code = operator.plan(all);
        if (code != AclErrors.OK) {
            throw health.failure(code, describe(operator.name(), arguments));
        }
        return new Plan(answer.get(ValueLayout.JAVA_LONG, 0), answer.get(ValueLayout.ADDRESS, 8));
    }

    private static int run(Operator operator, long workspace, Plan plan, MemorySegment stream) {
        try {
            return (int) operator.run()
                    .invokeExact(MemorySegment.ofAddress(workspace), plan.workspaceBytes(), plan.executor(), stream);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Frees an executor that is not run. Only a repeatable one may be destroyed; for others there is the second phase,
     * which deletes the executor when it refuses a missing workspace (nnopbase, aclnn_base).
     */
    private void discard(Operator operator, Plan plan, MemorySegment stream) {
        if (plan.executor().address() == 0) {
            return;
        }
        if (acl.aclSetAclOpExecutorRepeatable(plan.executor()) == AclErrors.OK) {
            destroy(plan);
            return;
        }
        health.recentMessage();
        if (plan.workspaceBytes() > 0) {
            run(operator, 0, plan, stream);
            health.recentMessage();
        }
    }

    private Object convert(Operator operator, AbiParameter parameter, Object argument) {
        CType.Kind kind = parameter.type().kind();
        if (argument == null && kind == CType.Kind.POINTER) {
            return MemorySegment.NULL; // an absent optional operand
        }
        return switch (argument) {
            case Ten t when points(parameter, "aclTensor") -> objects.tensor(t);
            case List<?> l when points(parameter, "aclTensorList") -> objects.list(l);
            case long[] values when points(parameter, "aclIntArray") -> objects.array(values);
            case Scalar s when points(parameter, "aclScalar") -> objects.scalar(s);
            case String s when points(parameter, "char") -> objects.text(s);
            case MemorySegment m when kind == CType.Kind.POINTER -> m;
            case AclType t when kind != CType.Kind.POINTER -> number(operator, parameter, t.value());
            case AclFormat f when kind != CType.Kind.POINTER -> number(operator, parameter, f.value());
            case Boolean b when kind == CType.Kind.BOOL -> b;
            case Number n when kind != CType.Kind.POINTER -> number(operator, parameter, n);
            case null, default -> throw unfit(operator, parameter, argument);
        };
    }

    private static boolean points(AbiParameter parameter, String base) {
        String text = parameter.type().text();
        return text.replace("const ", "").replace(" const", "").equals(base + "*");
    }

    /** A number in the width of the parameter; one that does not fit is an error, not another number. */
    private static Object number(Operator operator, AbiParameter parameter, Number n) {
        long whole = n.longValue();
        Object converted = switch (parameter.type().kind()) {
            case INT8 -> (byte) whole;
            case UINT8 -> (byte) whole;
            case UINT16 -> (short) whole;
            case INT32, UINT32, ENUM -> (int) whole;
            case INT64, UINT64 -> whole;
            case FLOAT -> n.floatValue();
            case DOUBLE -> n.doubleValue();
            default -> throw unfit(operator, parameter, n);
        };
        boolean fits = switch (converted) {
            case Byte b ->
                parameter.type().kind() == CType.Kind.UINT8 ? (b & 0xFF) == n.doubleValue() : b == n.doubleValue();
            case Short s -> (s & 0xFFFF) == n.doubleValue();
            case Integer i ->
                parameter.type().kind() == CType.Kind.UINT32
                        ? Integer.toUnsignedLong(i) == n.doubleValue()
                        : i == n.doubleValue();
            case Long l -> !(n instanceof Double || n instanceof Float) || l == n.doubleValue();
            default -> true;
        };
        if (!fits) {
            throw unfit(operator, parameter, n);
        }
        return converted;
    }

    private static NativeCallException unfit(Operator operator, AbiParameter parameter, Object argument) {
        String found = argument == null ? "nothing" : argument.getClass().getSimpleName() + " " + argument;
        return new NativeCallException(
                operator.name() + ": parameter '" + parameter + "': found " + found + ", expected its C type");
    }

    /** The call for messages: function, shapes, attributes. */
    private static String describe(String function, Object[] arguments) {
        return Arrays.stream(arguments).map(OpCaller::describe).collect(Collectors.joining(", ", function + "(", ")"));
    }

    private static String describe(Object argument) {
        return switch (argument) {
            case null -> "null";
            case Ten t -> t.type() + Arrays.toString(t.dims());
            case List<?> l -> l.stream().map(OpCaller::describe).collect(Collectors.joining(", ", "{", "}"));
            case long[] values -> Arrays.toString(values);
            default -> argument.toString();
        };
    }

    @Override
    public void close() {
        objects.close();
    }
}
