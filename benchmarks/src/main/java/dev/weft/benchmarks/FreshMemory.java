package dev.weft.benchmarks;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;

/** Memory of the system that nobody has touched: Java's own is filled with zeros first. In huge pages where the system has them. */
final class FreshMemory implements AutoCloseable {
    private static final int READ_WRITE = 3;
    private static final int PRIVATE_ANONYMOUS = 0x22;
    private static final int HUGE_PAGES = 14;
    private static final MethodHandle MMAP = function(
            "mmap",
            FunctionDescriptor.of(
                    ValueLayout.ADDRESS,
                    ValueLayout.ADDRESS,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG));
    private static final MethodHandle MADVISE = function(
            "madvise",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
    private static final MethodHandle MUNMAP =
            function("munmap", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));

    private final MemorySegment memory;

    FreshMemory(long bytes) {
        try {
            MemorySegment address =
                    (MemorySegment) MMAP.invokeExact(MemorySegment.NULL, bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0L);
            if (address.address() == -1) {
                throw new OutOfMemoryError("mmap: found no room for " + bytes + " bytes");
            }
            this.memory = address.reinterpret(bytes);
            int ignored = (int) MADVISE.invokeExact(memory, bytes, HUGE_PAGES);
        } catch (Throwable e) {
            throw rethrown(e);
        }
    }

    ByteBuffer at(long from, long bytes) {
        return memory.asSlice(from, bytes).asByteBuffer();
    }

    @Override
    public void close() {
        try {
            int ignored = (int) MUNMAP.invokeExact(memory, memory.byteSize());
        } catch (Throwable e) {
            throw rethrown(e);
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor type) {
        SymbolLookup c = Linker.nativeLinker().defaultLookup();
        return Linker.nativeLinker().downcallHandle(c.findOrThrow(name), type);
    }

    private static RuntimeException rethrown(Throwable e) {
        if (e instanceof Error error) {
            throw error;
        }
        return e instanceof RuntimeException r ? r : new IllegalStateException(e);
    }
}
