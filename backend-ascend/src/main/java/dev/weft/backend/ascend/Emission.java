package dev.weft.backend.ascend;

import dev.weft.DType;
import dev.weft.DeviceMemoryException;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.backend.ascend.kernel.Emit;
import dev.weft.backend.ascend.kernel.Profile;
import dev.weft.backend.ascend.kernel.Ten;
import dev.weft.op.OpInstance;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One pass of a candidate over the operands of a call. Where its calls and tables go is up to the {@link Target}, so that
 * measuring scratch, probing and running see the same sequence.
 */
final class Emission implements Emit {
    /** Receives what a candidate emits. */
    interface Target {
        void call(String function, Object[] arguments);

        Ten constant(String id, AclType type, long[] dims, Consumer<MemorySegment> fill);

        /** What the operators of the step share, null if they share nothing. */
        default @Nullable StepValues shared() {
            return null;
        }
    }

    /** Addresses of a pass that touches no memory: aligned, apart from each other, not null. */
    static final long NOWHERE = 1L << 40;

    /** Behind the scratch memory of a pass that touches none. */
    static final long FAR = 1L << 60;

    private final Profile profile;
    private final SizeRule rule;
    private final KernelArguments arguments;
    private final long scratchEnd;
    private final Target target;
    private final long scratch;
    private long next;

    /** Whether a value of the step is being computed, whose memory is not this call's. */
    private boolean sharing;

    private int launches;

    /**
     * @param scratch address of scratch memory
     * @param scratchBytes of it
     * @param target receives the calls
     */
    Emission(
            Profile profile, SizeRule rule, KernelArguments arguments, long scratch, long scratchBytes, Target target) {
        this.profile = profile;
        this.rule = rule;
        this.arguments = arguments;
        this.scratch = scratch;
        this.next = scratch;
        this.scratchEnd = next + scratchBytes;
        this.target = target;
    }

    /** Arguments at the largest extents with addresses that no memory has. */
    static KernelArguments nowhere(OpInstance op, Arena arena) {
        KernelArguments arguments = new KernelArguments(op.all(), arena);
        for (int i = 0; i < arguments.count(); i++) {
            long data = NOWHERE * (2L * i + 2);
            arguments.bind(i, data, arguments.scaling(i).isNone() ? 0 : data + NOWHERE);
        }
        arguments.workspace(NOWHERE);
        return arguments;
    }

    /** Memory for the values of a step in a pass that touches none. */
    static DeviceBuffer noMemory(long bytes, long alignment) {
        return new DeviceBuffer() {
            @Override
            public long address() {
                return FAR;
            }

            @Override
            public long bytes() {
                return bytes;
            }

            @Override
            public void close() {}
        };
    }

    /** A target for passes that only measure. */
    static Target nothing() {
        return new Target() {
            @Override
            public void call(String function, Object[] arguments) {}

            @Override
            public Ten constant(String id, AclType type, long[] dims, Consumer<MemorySegment> fill) {
                return Ten.dense(NOWHERE, type, dims);
            }
        };
    }

    /** Scratch bytes taken so far. */
    long scratchBytes() {
        return next - scratch;
    }

    /** Calls so far, without those for values that the kernels of a step share. */
    int launches() {
        return launches;
    }

    @Override
    public Profile profile() {
        return profile;
    }

    @Override
    public Ten operand(int i) {
        return Ten.pitched(arguments.address(i), AclType.of(arguments.dtype(i)), arguments.pitch(i), arguments.dims(i));
    }

    @Override
    public Ten scales(int i) {
        return Ten.dense(
                arguments.scaleAddress(i), AclType.UINT8, arguments.scaling(i).scaleDims(arguments.dims(i)));
    }

    @Override
    public Ten spare(int i) {
        long width = width(arguments.type(i));
        long entries = arguments.elements(i) / width;
        return Ten.dense(arguments.address(i), AclType.of(arguments.dtype(i)), entries + 1, width);
    }

    private static long width(TensorType type) {
        return Math.max(1, type.shape().dim(type.shape().rank() - 1).maximum());
    }

    /** Bytes of a state with its spare entry. */
    static long spareBytes(TensorType state) {
        DType dtype = state.dtype();
        return dtype.bytes(state.maxElements() + width(state));
    }

    @Override
    public Ten temp(AclType type, long... dims) {
        StepValues values = target.shared();
        if (sharing && values != null) {
            return Ten.dense(values.allocate(type.bytes(Ten.dense(0, type, dims).elements())), type, dims);
        }
        Ten t = Ten.dense(next, type, dims);
        next += rule.strideOf(Math.max(1, type.bytes(t.elements())));
        if (next > scratchEnd) {
            throw new DeviceMemoryException("scratch of a kernel: " + scratchBytes()
                    + " bytes are needed, measured at the" + " largest extents were " + (scratchEnd - scratch));
        }
        return t;
    }

    @Override
    public Ten constant(String id, AclType type, long[] dims, Consumer<MemorySegment> fill) {
        return target.constant(id, type, dims, fill);
    }

    @Override
    public <T> T shared(Object key, List<Ten> reads, Supplier<T> body) {
        StepValues values = target.shared();
        if (values == null || reads.stream().anyMatch(this::isScratch)) {
            return body.get();
        }
        T known = values.find(key);
        if (known != null) {
            return known;
        }
        boolean outer = sharing;
        sharing = true;
        try {
            T value = body.get();
            values.put(key, reads, value);
            return value;
        } finally {
            sharing = outer;
        }
    }

    /** Whether it lies in memory that other calls use for other things. */
    private boolean isScratch(Ten t) {
        return t.address() >= scratch && t.address() < scratchEnd;
    }

    @Override
    public void call(String function, Object... arguments) {
        launches += sharing ? 0 : 1;
        target.call(function, arguments);
    }
}
