package dev.weft.backend.cuda;

import dev.weft.spi.nativelib.NativeBinder;
import dev.weft.spi.nativelib.NativeLibraries;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.nio.file.Path;
import java.util.List;

/**
 * NVIDIA's library of collectives, found and bound.
 *
 * @param nccl its functions
 * @param initRankConfig {@code ncclCommInitRankConfig}
 * @param library file or name it was opened by
 * @param version 22703 for NCCL 2.27.3
 * @param isEmulator whether it belongs to the emulated driver
 */
record NcclLibrary(Nccl nccl, MethodHandle initRankConfig, String library, int version, boolean isEmulator) {
    /** Name of the search; {@code -Dweft.nccl.path} names the library or its folder. */
    static final String NAME = "nccl";

    /** Bytes of {@code ncclUniqueId}. */
    static final int ID_BYTES = 128;

    // ncclResult_t
    static final int OK = 0;
    static final int IN_PROGRESS = 7;

    /** {@code ncclUint8}: a count is a number of bytes. */
    static final int BYTE = 1;

    private static final List<String> FILES = List.of("libnccl.so.2");

    /** The first version whose communicators need not block. */
    private static final int OLDEST = 21400;

    /**
     * The first version that is taken to end all communicators of a group together, on threads of its own. 2.14 ends one after the
     * other whether they are in a group or not; when that changed no release note says, so this is a late one.
     */
    private static final int ABORTS_IN_GROUPS = 22200;

    // ncclConfig_t as of 2.14, which later versions accept: size, magic number, version, blocking, and padding
    private static final long CONFIG_BYTES = 24;
    private static final int CONFIG_MAGIC = 0xcafebeef;

    private static final MemoryLayout ID =
            MemoryLayout.structLayout(MemoryLayout.sequenceLayout(ID_BYTES, ValueLayout.JAVA_BYTE));

    /** Only the emulator's exports it. */
    private static final String EMULATOR = "weftNcclConfigure";

    /** Outcome of {@link #open}. */
    sealed interface Result {}

    /** @param library ready for use */
    record Opened(NcclLibrary library) implements Result {}

    /** @param reason in one sentence, with the remedy */
    record Absent(String reason) implements Result {}

    /** Finds the library. Never throws for one that is absent or of no use. */
    static Result open(List<Path> folders) {
        return switch (NativeLibraries.find(MethodHandles.lookup(), NAME, FILES, folders)) {
            case NativeLibraries.Missing missing -> new Absent("no libnccl.so.2: " + missing.reason());
            case NativeLibraries.Found found -> {
                try {
                    yield bind(found);
                } catch (UnsatisfiedLinkError e) {
                    yield new Absent("NCCL " + found.library() + ": " + e.getMessage());
                }
            }
        };
    }

    private static Result bind(NativeLibraries.Found found) {
        Nccl nccl = NativeBinder.bind(MethodHandles.lookup(), Nccl.class, found.symbols());
        int version;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_INT);
            int code = nccl.ncclGetVersion(out);
            if (code != OK) {
                return new Absent("NCCL " + found.library() + ": ncclGetVersion returned " + code);
            }
            version = out.get(ValueLayout.JAVA_INT, 0);
        }
        if (version < OLDEST) {
            return new Absent("NCCL " + found.library() + ": found version " + text(version) + ", expected "
                    + text(OLDEST) + " or newer; update it");
        }
        MethodHandle init = Linker.nativeLinker()
                .downcallHandle(
                        found.symbols()
                                .find("ncclCommInitRankConfig")
                                .orElseThrow(() -> new UnsatisfiedLinkError("it has no ncclCommInitRankConfig")),
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_INT,
                                ValueLayout.ADDRESS,
                                ValueLayout.JAVA_INT,
                                ID,
                                ValueLayout.JAVA_INT,
                                ValueLayout.ADDRESS));
        boolean emulator = found.symbols().find(EMULATOR).isPresent();
        return new Opened(new NcclLibrary(nccl, init, found.library(), version, emulator));
    }

    /** Whether a group ends its communicators together. */
    boolean abortsInGroups() {
        return version >= ABORTS_IN_GROUPS;
    }

    /** A version as people write it, {@code 2.27.3}. */
    private static String text(int version) {
        return version / 10000 + "." + version % 10000 / 100 + "." + version % 100;
    }

    /** The version as people write it. */
    String versionText() {
        return (isEmulator ? "EMULATOR of NCCL " : "NCCL ") + text(version);
    }

    /** Begins to join a communicator that does not block. @return {@code ncclResult_t} */
    int initRank(MemorySegment outComm, int size, byte[] id, int rank) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment config = arena.allocate(CONFIG_BYTES, 8);
            config.set(ValueLayout.JAVA_LONG, 0, CONFIG_BYTES);
            config.set(ValueLayout.JAVA_INT, 8, CONFIG_MAGIC);
            config.set(ValueLayout.JAVA_INT, 12, OLDEST);
            config.set(ValueLayout.JAVA_INT, 16, 0);
            MemorySegment unique = arena.allocateFrom(ValueLayout.JAVA_BYTE, id);
            return (int) initRankConfig.invokeExact(outComm, size, unique, rank, config);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** A code with NCCL's own words. */
    String describe(String call, int code) {
        MemorySegment text = nccl.ncclGetErrorString(code);
        String words = text.address() == 0
                ? ""
                : ": " + text.reinterpret(Short.MAX_VALUE).getString(0);
        return call + " returned " + code + words;
    }
}
