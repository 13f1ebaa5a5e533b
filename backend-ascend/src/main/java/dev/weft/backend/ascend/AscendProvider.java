package dev.weft.backend.ascend;

import dev.weft.BackendUnavailableException;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendProvider;
import dev.weft.spi.Probe;
import dev.weft.spi.SpiVersion;

/** Provider of the backend {@code ascend}, available where a CANN installation with its driver sees a device. */
public final class AscendProvider implements BackendProvider {
    @Override
    public String name() {
        return "ascend";
    }

    @Override
    public SpiVersion spiVersion() {
        return new SpiVersion(1, 0);
    }

    @Override
    public Probe probe() {
        return switch (CannHome.find()) {
            case CannHome.Absent absent -> new Probe.Absent(absent.reason());
            case CannHome.Found found -> new Probe.Absent("CANN at " + found.root() + ": devices cannot be opened yet");
        };
    }

    @Override
    public Backend open(BackendConfig config) {
        throw new BackendUnavailableException("backend ascend: no device");
    }
}
