package dev.weft.backend.ascend;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DeviceId;
import dev.weft.backend.ascend.kernel.Profile;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The Ascend devices that CANN sees. A device opened without a variant uses fused operators where its product and its CANN
 * have them; the variant {@value #COMPOSITE} builds everything from simple ones. On products without narrow floats the
 * variant {@value #INT8} quantises experts anew, which deviates from the checkpoint's numbers.
 */
final class AscendBackend implements Backend {
    static final String NAME = "ascend";
    static final String COMPOSITE = "composite";
    static final String INT8 = "int8";

    private final CannRuntime runtime;
    private final AscendOptions options;
    private final String soc;
    private final List<DeviceInfo> devices;
    private final List<AscendDevice> open = new ArrayList<>();
    private boolean closed;

    AscendBackend(BackendConfig config, CannInstallation cann) {
        this.options = AscendOptions.of(config);
        this.runtime = CannRuntime.open(cann);
        try {
            int count = runtime.deviceCount();
            this.soc = count == 0 ? "" : runtime.socName();
            this.devices = IntStream.range(0, count).mapToObj(this::describe).toList();
        } catch (RuntimeException | Error e) {
            runtime.close();
            throw e;
        }
    }

    private DeviceInfo describe(int ordinal) {
        CannInstallation cann = runtime.cann();
        String description = cann.isEmulator()
                ? "EMULATOR of " + soc + ", no hardware (" + cann.version() + ")"
                : soc + ", CANN " + cann.version();
        return new DeviceInfo(
                new DeviceId(NAME, ordinal, ""),
                description,
                cann.isEmulator() ? DeviceInfo.EMULATOR : "hardware",
                runtime.memoryBytes(ordinal),
                variants());
    }

    private List<String> variants() {
        return Profile.find(soc)
                        .filter(p -> p.has(Profile.Capability.INT8_EXPERTS))
                        .isPresent()
                ? List.of(COMPOSITE, INT8)
                : List.of(COMPOSITE);
    }

    @Override
    public List<DeviceInfo> devices() {
        return devices;
    }

    @Override
    public List<String> details() {
        return runtime.details();
    }

    @Override
    public synchronized BackendDevice open(DeviceId id) {
        if (closed) {
            throw new ClosedException("backend " + NAME + ": used after close");
        }
        DeviceInfo base = devices.stream()
                .filter(d -> d.id().equals(id.base()))
                .findFirst()
                .orElseThrow(() -> new BackendUnavailableException("device " + id + ": found only "
                        + devices.stream().map(DeviceInfo::id).toList()));
        if (!id.variant().isEmpty() && !base.variants().contains(id.variant())) {
            throw new BackendUnavailableException("device " + id + ": no variant '" + id.variant()
                    + "' here, expected none or one of " + base.variants());
        }
        DeviceInfo info = new DeviceInfo(id, base.description(), base.tier(), base.memoryBytes(), base.variants());
        AscendDevice device = new AscendDevice(info, soc, runtime.cann(), options, this::forget);
        open.add(device);
        return device;
    }

    private synchronized void forget(AscendDevice device) {
        open.remove(device);
    }

    @Override
    public void close() {
        List<AscendDevice> devices;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            devices = List.copyOf(open).reversed();
        }
        try {
            Closing.all(devices);
        } finally {
            runtime.close();
        }
    }
}
