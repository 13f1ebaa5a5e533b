package dev.weft.backend.cpu;

import dev.weft.natives.NativeLibrary;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendProvider;
import dev.weft.spi.Probe;
import dev.weft.spi.SpiVersion;

/** Provider of the backend {@code cpu}, which runs wherever native calls are allowed. */
public final class CpuProvider implements BackendProvider {
    /** Below every accelerator. */
    private static final int PRIORITY = 10;

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public SpiVersion spiVersion() {
        return new SpiVersion(1, 0);
    }

    @Override
    public Probe probe() {
        try {
            HostMemory.requireNativeAccess();
        } catch (UnsatisfiedLinkError e) {
            // buffers are native memory, whatever computes on them
            return new Probe.Absent("host memory cannot be allocated: " + e.getMessage());
        }
        return new Probe.Available(PRIORITY, System.getProperty("os.arch"));
    }

    @Override
    public Backend open(BackendConfig config) {
        return new CpuBackend(config, NativeLibrary.load());
    }
}
