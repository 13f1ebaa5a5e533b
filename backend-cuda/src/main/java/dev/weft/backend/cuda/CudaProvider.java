package dev.weft.backend.cuda;

import dev.weft.BackendUnavailableException;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendProvider;
import dev.weft.spi.Probe;
import dev.weft.spi.SpiVersion;

/** Provider of the backend {@code cuda}, available where the CUDA driver is installed and has a device. */
public final class CudaProvider implements BackendProvider {
    /** Above the host, and above what emulates. */
    private static final int PRIORITY = 150;

    /** The emulator is never the best device. */
    private static final int EMULATOR_PRIORITY = 1;

    @Override
    public String name() {
        return CudaBackend.NAME;
    }

    @Override
    public SpiVersion spiVersion() {
        return new SpiVersion(1, 0);
    }

    @Override
    public Probe probe() {
        return switch (DriverLibrary.open()) {
            case DriverLibrary.Absent absent -> new Probe.Absent(absent.reason());
            case DriverLibrary.Opened opened -> {
                DriverLibrary library = opened.library();
                yield new Probe.Available(library.isEmulator() ? EMULATOR_PRIORITY : PRIORITY, library.versionText());
            }
        };
    }

    @Override
    public Backend open(BackendConfig config) {
        return switch (DriverLibrary.open()) {
            case DriverLibrary.Absent absent ->
                throw new BackendUnavailableException("backend cuda: " + absent.reason());
            case DriverLibrary.Opened opened -> new CudaBackend(config, opened.library());
        };
    }
}
