package dev.weft.backend.ascend;

import dev.weft.spi.nativelib.NativeBinder;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The libraries of one CANN installation, loaded once per process, and what they say about themselves.
 *
 * @param root its folder
 * @param acl its functions
 * @param version what {@code aclsysGetCANNVersion} says
 */
record CannInstallation(Path root, Acl acl, String version) {
    /** How the emulator's version begins. */
    private static final String EMULATOR = "WEFT EMULATOR";

    /** {@code ACL_PKG_NAME_CANN}. */
    private static final int CANN_PACKAGE = 0;

    /** More than {@code aclCANNPackageVersion} has in any version; it begins with the version's text. */
    private static final long VERSION_BYTES = 4096;

    private static final long VERSION_TEXT_BYTES = 128;

    private static @Nullable CannInstallation loaded;

    /** Loads the libraries under {@code root}. @throws UnsatisfiedLinkError with the loader's reason */
    static synchronized CannInstallation load(Path root) {
        if (loaded == null || !loaded.root.equals(root)) {
            SymbolLookup symbols = symbols(root);
            Acl acl = NativeBinder.bind(MethodHandles.lookup(), Acl.class, symbols);
            loaded = new CannInstallation(root, acl, version(acl));
        }
        return loaded;
    }

    private static SymbolLookup symbols(Path root) {
        SymbolLookup all = name -> java.util.Optional.empty();
        for (String library : java.util.List.of("libacl_rt.so", "libnnopbase.so")) {
            all = all.or(SymbolLookup.libraryLookup(root.resolve("lib64").resolve(library), Arena.global()));
        }
        return all;
    }

    /** Asked on a thread of its own: the caller may be a virtual thread. */
    private static String version(Acl acl) {
        try (DeviceThread thread = new DeviceThread("ascend version");
                Arena arena = Arena.ofShared()) {
            MemorySegment out = arena.allocate(VERSION_BYTES, 8);
            return thread.call(() -> {
                try {
                    return acl.aclsysGetCANNVersion(CANN_PACKAGE, out) == AclErrors.OK ? text(out) : "unknown version";
                } catch (UnsatisfiedLinkError e) {
                    return "unknown version";
                }
            });
        }
    }

    private static String text(MemorySegment version) {
        byte[] bytes = version.asSlice(0, VERSION_TEXT_BYTES).toArray(ValueLayout.JAVA_BYTE);
        int end = 0;
        while (end < bytes.length && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, 0, end, StandardCharsets.UTF_8).strip();
    }

    /** Whether this is the emulator, whose results are no measurement of any device. */
    boolean isEmulator() {
        return version.startsWith(EMULATOR);
    }
}
