package dev.weft.backend.cpu;

import dev.weft.DeviceId;
import dev.weft.conformance.DeviceConformance;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;

/** What every device promises. */
class CpuDevicesTest extends DeviceConformance {
    @Override
    protected Backend open(BackendConfig config) {
        return Cpu.backend(config);
    }

    @Override
    protected DeviceId device(int index) {
        return new DeviceId("cpu", index, "");
    }
}
