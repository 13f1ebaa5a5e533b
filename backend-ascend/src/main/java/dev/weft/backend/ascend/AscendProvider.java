package dev.weft.backend.ascend;

import dev.weft.BackendUnavailableException;
import dev.weft.backend.ascend.abi.CannHome;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendProvider;
import dev.weft.spi.Probe;
import dev.weft.spi.SpiVersion;

/** Provider of the backend {@code ascend}, available where CANN is installed and its libraries load. */
public final class AscendProvider implements BackendProvider {
    /** Above the host, and above what emulates. */
    private static final int PRIORITY = 120;

    /** The emulator is never the best device. */
    private static final int EMULATOR_PRIORITY = 1;

    @Override
    public String name() {
        return AscendBackend.NAME;
    }

    @Override
    public SpiVersion spiVersion() {
        return new SpiVersion(1, 0);
    }

    @Override
    public Probe probe() {
        return switch (CannHome.locate()) {
            case CannHome.Absent absent -> new Probe.Absent(absent.reason());
            case CannHome.Found found -> probe(found.home());
        };
    }

    private static Probe probe(CannHome home) {
        try {
            CannInstallation cann = CannInstallation.load(home);
            return new Probe.Available(cann.isEmulator() ? EMULATOR_PRIORITY : PRIORITY, cann.version());
        } catch (BackendUnavailableException e) {
            return new Probe.Absent(e.getMessage());
        }
    }

    @Override
    public Backend open(BackendConfig config) {
        return switch (CannHome.locate()) {
            case CannHome.Absent absent -> throw new BackendUnavailableException("backend ascend: " + absent.reason());
            case CannHome.Found found -> new AscendBackend(config, CannInstallation.load(found.home()));
        };
    }
}
