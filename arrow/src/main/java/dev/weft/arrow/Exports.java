package dev.weft.arrow;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What C code holds of us. A structure carries the number of its entry where its producer may keep a pointer; its release
 * function, one for all of a kind, finds the entry by it. So an address that comes back from C is looked up, never followed.
 */
final class Exports {
    private static final Logger LOG = LoggerFactory.getLogger(Exports.class);
    private static final Map<Long, Entry> ENTRIES = new ConcurrentHashMap<>();
    private static final AtomicLong NEXT = new AtomicLong(1);

    static final MemorySegment RELEASE_SCHEMA = stub("releaseSchema");
    static final MemorySegment RELEASE_ARRAY = stub("releaseArray");
    static final MemorySegment DELETE_VERSIONED = stub("deleteVersioned");
    static final MemorySegment DELETE_MANAGED = stub("deleteManaged");

    private static final MethodHandle CALL =
            Linker.nativeLinker().downcallHandle(FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));

    /** Memory of a structure's parts, and what it keeps alive. */
    private record Entry(Arena arena, Runnable release) {
        void close() {
            release.run();
            arena.close();
        }
    }

    private Exports() {}

    /** A new entry. @param release what to give up, once; must not throw */
    static long add(Arena arena, Runnable release) {
        long number = NEXT.getAndIncrement();
        ENTRIES.put(number, new Entry(arena, release));
        return number;
    }

    /** Entries that C code has not released. */
    static int live() {
        return ENTRIES.size();
    }

    /** Calls a release function of the C interfaces or a deleter of DLPack. */
    static void call(long function, MemorySegment struct) {
        try {
            CALL.invokeExact(MemorySegment.ofAddress(function), MemorySegment.ofAddress(struct.address()));
        } catch (Throwable e) {
            throw new AssertionError("C functions do not throw", e);
        }
    }

    private static MemorySegment stub(String method) {
        try {
            MethodHandle target = MethodHandles.lookup()
                    .findStatic(Exports.class, method, MethodType.methodType(void.class, MemorySegment.class));
            return Linker.nativeLinker()
                    .upcallStub(target, FunctionDescriptor.ofVoid(ValueLayout.ADDRESS), Arena.global());
        } catch (ReflectiveOperationException e) {
            throw new AssertionError("a method of this class", e);
        }
    }

    private static void releaseSchema(MemorySegment pointer) {
        release(CStruct.SCHEMA, pointer);
    }

    private static void releaseArray(MemorySegment pointer) {
        release(CStruct.ARRAY, pointer);
    }

    /** Children first, those excepted that the consumer moved away: they are its own now. */
    private static void release(CStruct kind, MemorySegment pointer) {
        end(() -> {
            MemorySegment struct = kind.at(pointer);
            long count = kind.get(struct, "n_children");
            MemorySegment children = MemorySegment.ofAddress(kind.get(struct, "children"))
                    .reinterpret(count * ValueLayout.ADDRESS.byteSize());
            for (long i = 0; i < count; i++) {
                MemorySegment child = kind.at(children.getAtIndex(ValueLayout.ADDRESS, i));
                long release = kind.get(child, "release");
                if (release != 0) {
                    call(release, child);
                }
            }
            kind.set(struct, "release", 0); // the mark of a released structure
            close(kind.get(struct, "private_data"));
        });
    }

    private static void deleteVersioned(MemorySegment pointer) {
        end(() -> close(CStruct.DL_VERSIONED.get(CStruct.DL_VERSIONED.at(pointer), "manager_ctx")));
    }

    private static void deleteManaged(MemorySegment pointer) {
        end(() -> close(CStruct.DL_MANAGED.get(CStruct.DL_MANAGED.at(pointer), "manager_ctx")));
    }

    private static void close(long number) {
        Entry entry = ENTRIES.remove(number);
        if (entry != null) {
            entry.close();
        }
    }

    /** An exception that reached C would end the process. */
    private static void end(Runnable body) {
        try {
            body.run();
        } catch (Throwable e) {
            LOG.error("release of memory that was lent to C code failed", e);
        }
    }
}
