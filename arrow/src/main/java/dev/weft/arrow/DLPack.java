package dev.weft.arrow;

import dev.weft.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Tensors for whatever speaks DLPack: PyTorch, JAX, NumPy, CuPy. The structure belongs to the consumer, who calls its deleter
 * once, on any thread; until then it holds the memory. Addresses of a device are passed on and never followed; Weft's work
 * on the tensor must be done. Block scales are a tensor of their own ({@link TensorMemory#scales}).
 *
 * <p>Source: DLPack 1.1, {@code dlpack.h}, whose type codes 10, 12, 14 and 17 are the FP8 and FP4 formats.
 */
public final class DLPack {
    private static final int MAJOR = 1;
    private static final int MINOR = 1;

    private DLPack() {}

    /** @return pointer to a {@code DLManagedTensorVersioned} */
    @SuppressWarnings("MustBeClosedChecker") // the consumer's release closes the arena
    public static MemorySegment export(TensorMemory memory) {
        CStruct kind = CStruct.DL_VERSIONED;
        long address = memory.address();
        TensorMemory.Hold hold = memory.hold();
        Arena arena = Arena.ofShared();
        MemorySegment struct = arena.allocate(kind.layout());
        kind.set(struct, "version.major", MAJOR);
        kind.set(struct, "version.minor", MINOR);
        kind.set(struct, "deleter", Exports.DELETE_VERSIONED);
        describe(kind, struct, arena, memory, address);
        kind.set(struct, "manager_ctx", Exports.add(arena, hold::close));
        return MemorySegment.ofAddress(struct.address());
    }

    /** For consumers that know DLPack before 1.0 only. @return pointer to a {@code DLManagedTensor} */
    @SuppressWarnings("MustBeClosedChecker") // the consumer's release closes the arena
    public static MemorySegment exportManaged(TensorMemory memory) {
        CStruct kind = CStruct.DL_MANAGED;
        long address = memory.address();
        TensorMemory.Hold hold = memory.hold();
        Arena arena = Arena.ofShared();
        MemorySegment struct = arena.allocate(kind.layout());
        kind.set(struct, "deleter", Exports.DELETE_MANAGED);
        describe(kind, struct, arena, memory, address);
        kind.set(struct, "manager_ctx", Exports.add(arena, hold::close));
        return MemorySegment.ofAddress(struct.address());
    }

    private static void describe(CStruct kind, MemorySegment struct, Arena arena, TensorMemory memory, long address) {
        TensorType type = memory.type();
        long[] shape = type.shape().maximum();
        // a tensor of nothing has no address
        kind.set(struct, "dl_tensor.data", type.maxElements() == 0 ? 0 : address);
        kind.set(struct, "dl_tensor.device.device_type", memory.place().type());
        kind.set(struct, "dl_tensor.device.device_id", memory.place().ordinal());
        kind.set(struct, "dl_tensor.ndim", shape.length);
        kind.set(struct, "dl_tensor.dtype.code", ElementFormat.of(type.dtype()).dlpack());
        kind.set(struct, "dl_tensor.dtype.bits", type.dtype().bits());
        kind.set(struct, "dl_tensor.dtype.lanes", 1);
        kind.set(struct, "dl_tensor.shape", arena.allocateFrom(ValueLayout.JAVA_LONG, shape));
        kind.set(struct, "dl_tensor.strides", arena.allocateFrom(ValueLayout.JAVA_LONG, strides(shape)));
    }

    /** In elements, row-major. */
    private static long[] strides(long[] shape) {
        long[] strides = new long[shape.length];
        long stride = 1;
        for (int i = shape.length - 1; i >= 0; i--) {
            strides[i] = stride;
            stride *= shape[i];
        }
        return strides;
    }
}
