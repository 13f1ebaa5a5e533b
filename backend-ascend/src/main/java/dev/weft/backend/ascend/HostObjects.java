package dev.weft.backend.ascend;

import dev.weft.NativeCallException;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.backend.ascend.kernel.Scalar;
import dev.weft.backend.ascend.kernel.Ten;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * The host objects of one operator call: tensors, lists, arrays, scalars and texts. They are needed until the second phase
 * has returned and destroyed by {@link #close}. A tensor inside a list is destroyed with the list. CANN copies dims and
 * values while it creates an object, so one reused block of memory holds them all.
 */
final class HostObjects implements AutoCloseable {
    /** More than the dims of any call need; a larger call takes memory of its own. */
    private static final long SCRATCH_BYTES = 64 << 10;

    /** What an object is, hence how it is destroyed. */
    enum Kind {
        TENSOR,
        TENSOR_LIST,
        INT_ARRAY,
        SCALAR
    }

    /** An object that exists. */
    record Made(Kind kind, MemorySegment object) {}

    private final Acl acl;
    private final Health health;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment scratch = arena.allocate(SCRATCH_BYTES, 16);
    private final List<Made> made = new ArrayList<>();
    private long used;

    /** Objects made and destroyed on the thread that creates this. */
    HostObjects(Acl acl, Health health) {
        this.acl = acl;
        this.health = health;
    }

    /** Memory until {@link #clear}; fails rather than grows, so that a leak is seen. */
    MemorySegment allocate(long bytes) {
        long at = (used + 15) & -16L;
        if (at + bytes > SCRATCH_BYTES) {
            throw new NativeCallException("arguments of one operator call take more than " + SCRATCH_BYTES + " bytes");
        }
        used = at + bytes;
        return scratch.asSlice(at, bytes);
    }

    private MemorySegment longs(long[] values) {
        MemorySegment s = allocate(8L * values.length);
        MemorySegment.copy(values, 0, s, ValueLayout.JAVA_LONG, 0, values.length);
        return s;
    }

    MemorySegment tensor(Ten t) {
        return keep(Kind.TENSOR, loose(t));
    }

    private MemorySegment loose(Ten t) {
        MemorySegment tensor = acl.aclCreateTensor(
                longs(t.dims()),
                t.dims().length,
                t.type().value(),
                longs(t.strides()),
                t.offset(),
                t.format().value(),
                longs(t.storage()),
                t.storage().length,
                MemorySegment.ofAddress(t.address()));
        return created(tensor, "aclCreateTensor(" + t + ")");
    }

    MemorySegment list(List<?> tensors) {
        MemorySegment members = allocate(8L * Math.max(1, tensors.size()));
        int done = 0;
        try {
            for (; done < tensors.size(); done++) {
                if (!(tensors.get(done) instanceof Ten t)) {
                    throw new NativeCallException(
                            "member " + done + " of a tensor list: found " + tensors.get(done) + ", expected a tensor");
                }
                members.setAtIndex(ValueLayout.ADDRESS, done, loose(t));
            }
            MemorySegment list = acl.aclCreateTensorList(members, tensors.size());
            return keep(Kind.TENSOR_LIST, created(list, "aclCreateTensorList(" + tensors.size() + " tensors)"));
        } catch (RuntimeException | Error e) {
            for (int i = 0; i < done; i++) {
                health.note(acl.aclDestroyTensor(members.getAtIndex(ValueLayout.ADDRESS, i)), "aclDestroyTensor");
            }
            throw e;
        }
    }

    MemorySegment array(long[] values) {
        MemorySegment array = acl.aclCreateIntArray(longs(values), values.length);
        return keep(Kind.INT_ARRAY, created(array, "aclCreateIntArray(" + values.length + " values)"));
    }

    MemorySegment scalar(Scalar s) {
        MemorySegment value = allocate(8);
        AclType type = s.type();
        switch (type) {
            case FLOAT -> value.set(ValueLayout.JAVA_FLOAT, 0, s.value().floatValue());
            case DOUBLE -> value.set(ValueLayout.JAVA_DOUBLE, 0, s.value().doubleValue());
            case INT64, UINT64 -> value.set(ValueLayout.JAVA_LONG, 0, s.value().longValue());
            case INT32, UINT32 -> value.set(ValueLayout.JAVA_INT, 0, s.value().intValue());
            case INT16, UINT16 -> value.set(ValueLayout.JAVA_SHORT, 0, s.value().shortValue());
            case INT8, UINT8, BOOL ->
                value.set(ValueLayout.JAVA_BYTE, 0, s.value().byteValue());
            default ->
                throw new NativeCallException(
                        "scalar of type " + type + ": expected FLOAT, DOUBLE, BOOL or an integer");
        }
        return keep(Kind.SCALAR, created(acl.aclCreateScalar(value, type.value()), "aclCreateScalar(" + s + ")"));
    }

    /** Text in memory that the callee may write to: some operators parse it in place. */
    MemorySegment text(String text) {
        MemorySegment s = allocate(text.length() * 4L + 1);
        s.setString(0, text);
        return s;
    }

    private MemorySegment created(MemorySegment object, String call) {
        if (object.address() == 0) {
            String message = health.recentMessage();
            throw new NativeCallException(call + " gave no object" + (message.isEmpty() ? "" : ": " + message));
        }
        return object;
    }

    private MemorySegment keep(Kind kind, MemorySegment object) {
        made.add(new Made(kind, object));
        return object;
    }

    /** Hands over the objects to who needs them longer; {@link #destroy} ends them. */
    List<Made> take() {
        List<Made> taken = List.copyOf(made);
        made.clear();
        return taken;
    }

    /** Destroys all objects that were not taken. */
    void clear() {
        destroy(made);
        made.clear();
        used = 0;
    }

    void destroy(List<Made> objects) {
        for (int i = objects.size() - 1; i >= 0; i--) {
            MemorySegment object = objects.get(i).object();
            switch (objects.get(i).kind()) {
                case TENSOR -> health.note(acl.aclDestroyTensor(object), "aclDestroyTensor");
                case TENSOR_LIST -> health.note(acl.aclDestroyTensorList(object), "aclDestroyTensorList");
                case INT_ARRAY -> health.note(acl.aclDestroyIntArray(object), "aclDestroyIntArray");
                case SCALAR -> health.note(acl.aclDestroyScalar(object), "aclDestroyScalar");
            }
        }
    }

    @Override
    public void close() {
        clear();
        arena.close();
    }
}
