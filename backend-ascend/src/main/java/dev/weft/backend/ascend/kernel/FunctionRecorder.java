package dev.weft.backend.ascend.kernel;

import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.OpInstance;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/** Remembers which functions a candidate calls. Addresses mean nothing. */
final class FunctionRecorder implements Emit {
    private static final long NOWHERE = 64;

    private final List<TensorType> types;
    private final Profile profile;
    private final Set<String> functions = new LinkedHashSet<>();

    private FunctionRecorder(OpInstance op, Profile profile) {
        this.types = op.all();
        this.profile = profile;
    }

    /** Functions of a pass at the largest extents, on the first product that takes the instance. */
    static List<String> functions(Candidate candidate, OpInstance op) {
        for (Profile p : Profile.values()) {
            if (candidate.refuse(op, p).isEmpty()) {
                FunctionRecorder recorder = new FunctionRecorder(op, p);
                candidate.emit(op, recorder);
                return new ArrayList<>(recorder.functions);
            }
        }
        return List.of();
    }

    @Override
    public Profile profile() {
        return profile;
    }

    @Override
    public Ten operand(int i) {
        TensorType t = types.get(i);
        return Ten.dense(NOWHERE, AclType.of(t.dtype()), t.shape().maximum());
    }

    @Override
    public Ten scales(int i) {
        TensorType t = types.get(i);
        return Ten.dense(NOWHERE, AclType.UINT8, t.scaling().scaleDims(t.shape().maximum()));
    }

    @Override
    public Ten spare(int i) {
        Ten state = operand(i);
        long width = state.dim(-1);
        return Ten.dense(NOWHERE, state.type(), state.elements() / width + 1, width);
    }

    @Override
    public Ten temp(AclType type, long... dims) {
        return Ten.dense(NOWHERE, type, dims);
    }

    @Override
    public Ten constant(String id, AclType type, long[] dims, Consumer<MemorySegment> fill) {
        return Ten.dense(NOWHERE, type, dims);
    }

    @Override
    public void call(String function, Object... arguments) {
        functions.add(function);
    }
}
