package dev.weft.conformance.toy;

import dev.weft.BackendUnavailableException;
import dev.weft.DeviceId;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceInfo;
import java.util.List;

/** Two devices with separate address spaces. */
final class ToyBackend implements Backend {
    static final long DEFAULT_MEMORY = 1L << 30;
    private static final int DEVICES = 2;

    private final long memory;
    private final ToyFaults faults;
    private final List<ToyDevice> opened;
    private final List<DeviceInfo> infos;

    ToyBackend(String name, BackendConfig config, ToyFaults faults, List<ToyDevice> opened) {
        this.memory = config.memoryLimit() == 0 ? DEFAULT_MEMORY : Math.min(config.memoryLimit(), DEFAULT_MEMORY);
        this.faults = faults;
        this.opened = opened;
        this.infos = java.util.stream.IntStream.range(0, DEVICES)
                .mapToObj(i ->
                        new DeviceInfo(new DeviceId(name, i, ""), "toy accelerator", "emulator", memory, List.of()))
                .toList();
    }

    @Override
    public List<DeviceInfo> devices() {
        return infos;
    }

    @Override
    public BackendDevice open(DeviceId id) {
        DeviceInfo info = infos.stream()
                .filter(i -> i.id().equals(id))
                .findFirst()
                .orElseThrow(() -> new BackendUnavailableException("device " + id + ": found "
                        + infos.stream().map(DeviceInfo::id).toList() + " without variants"));
        ToyDevice device = new ToyDevice(info, faults);
        opened.add(device);
        return device;
    }

    @Override
    public void close() {
        // devices are closed by whoever opened them
    }
}
