package dev.weft.backend.ascend;

import dev.weft.BackendUnavailableException;
import dev.weft.backend.ascend.abi.CannHome;
import dev.weft.backend.ascend.abi.CannLibraries;
import dev.weft.spi.nativelib.NativeBinder;
import dev.weft.spi.support.DeviceThread;
import java.lang.invoke.MethodHandles;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The libraries of one CANN installation, loaded once per process, and what they say about themselves.
 *
 * @param libraries its functions, for operators
 * @param acl its runtime
 * @param hccl its collectives; their library is opened by the first call
 * @param version what {@code aclsysGetCANNVersion} says
 */
record CannInstallation(CannLibraries libraries, Acl acl, Hccl hccl, String version) {
    /** How the emulator's version begins. */
    private static final String EMULATOR = "WEFT EMULATOR";

    private static @Nullable CannInstallation loaded;

    /** Loads the runtime. @throws BackendUnavailableException with the loader's reason */
    static synchronized CannInstallation load(CannHome home) {
        if (loaded == null || !loaded.root().equals(home.root())) {
            loaded = switch (CannLibraries.open(home)) {
                case CannLibraries.Failed failed -> throw new BackendUnavailableException(failed.reason());
                case CannLibraries.Opened opened -> of(opened.libraries());
            };
        }
        return loaded;
    }

    private static CannInstallation of(CannLibraries libraries) {
        Acl acl = NativeBinder.bind(MethodHandles.lookup(), Acl.class, libraries.symbols());
        Hccl hccl = NativeBinder.bind(MethodHandles.lookup(), Hccl.class, libraries.symbols());
        // asked on a thread of its own: the caller may be a virtual thread
        try (DeviceThread thread = new DeviceThread("ascend version")) {
            String version = thread.call(() -> libraries
                    .runtimeVersion()
                    .or(() -> libraries.version().map(Object::toString))
                    .orElse("unknown version"));
            return new CannInstallation(libraries, acl, hccl, version);
        }
    }

    /** Its folder. */
    Path root() {
        return libraries.home().root();
    }

    /** Whether this is the emulator, whose results are no measurement of any device. */
    boolean isEmulator() {
        return version.startsWith(EMULATOR);
    }
}
