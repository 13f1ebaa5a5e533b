package dev.weft.backend.cuda;

import dev.weft.DeviceId;
import dev.weft.conformance.DeviceConformance;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** What every device promises, on four slow emulated ones; the emulator must find nothing to complain about. */
class CudaDevicesTest extends DeviceConformance {
    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start().with("devices", "4").with("delay", "200");
    }

    @AfterEach
    void stop() {
        if (emulator != null) {
            emulator.close();
        }
    }

    @Override
    protected Backend open(BackendConfig config) {
        return emulator.open(config);
    }

    @Override
    protected DeviceId device(int index) {
        return new DeviceId("cuda", index, "");
    }
}
