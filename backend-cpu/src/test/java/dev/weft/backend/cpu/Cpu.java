package dev.weft.backend.cpu;

import dev.weft.DeviceId;
import dev.weft.natives.NativeLibrary;
import dev.weft.spi.BackendConfig;
import java.util.List;

/** Devices for tests. */
final class Cpu {
    private Cpu() {}

    static CpuBackend backend(BackendConfig config) {
        return new CpuBackend(config, NativeLibrary.load());
    }

    /** Every variant here: the native levels, best first, then vector, then scalar. */
    static List<String> variants() {
        try (CpuBackend backend = backend(BackendConfig.DEFAULT)) {
            return backend.devices().getFirst().variants();
        }
    }

    static CpuDevice open(CpuBackend backend, String variant) {
        return (CpuDevice) backend.open(new DeviceId("cpu", 0, variant));
    }
}
