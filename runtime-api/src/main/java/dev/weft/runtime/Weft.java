package dev.weft.runtime;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DeviceId;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Entry point: the backends and devices of this machine. Owns everything opened through it and closes it in reverse order.
 * Thread-safe.
 */
public final class Weft implements AutoCloseable {
    private final Backends backends;
    private final Map<DeviceId, Device> devices = new LinkedHashMap<>();
    private boolean closed;

    private Weft(Backends backends) {
        this.backends = backends;
    }

    /** Finds the backends on the class or module path. */
    public static Weft open() {
        return open(BackendConfig.DEFAULT);
    }

    /** Finds the backends, with settings for them. */
    public static Weft open(BackendConfig config) {
        return new Weft(Backends.load(config));
    }

    /** Uses a given set of backends. */
    public static Weft of(Backends backends) {
        return new Weft(backends);
    }

    /** Every backend found, absent ones with their reasons. */
    public List<Backends.Status> backends() {
        return backends.statuses();
    }

    /** What an available backend says about its libraries and versions, one thing a line. */
    public List<String> details(String backend) {
        return backends.details(backend);
    }

    /** The devices of the available backends, without opening them. */
    public List<DeviceInfo> deviceInfos() {
        return backends.devices();
    }

    /** All devices, opened, best first. */
    public List<Device> devices() {
        return deviceInfos().stream().map(d -> device(d.id())).toList();
    }

    /** The first device of the best backend. @throws BackendUnavailableException if there is none */
    public Device best() {
        return deviceInfos().stream()
                .findFirst()
                .map(d -> device(d.id()))
                .orElseThrow(() -> new BackendUnavailableException("no device: found backends " + backends.statuses()
                        + "; add weft-backend-cpu to the class or module path"));
    }

    /** A device by id, for example {@code cpu:0} or {@code cpu:0/scalar}; opened at first use. */
    public Device device(String id) {
        return device(DeviceId.parse(id));
    }

    /** A device by id; opened at first use. */
    public synchronized Device device(DeviceId id) {
        if (closed) {
            throw new ClosedException("weft: used after close");
        }
        Device d = devices.get(id);
        if (d == null || d.isClosed()) { // a lost device is closed and opened again
            d = new Device(id, backends.device(id));
            devices.put(id, d);
        }
        return d;
    }

    /** @throws dev.weft.DeviceMemoryException if a tensor is lent; nothing is closed then */
    @Override
    public void close() {
        List<AutoCloseable> all;
        synchronized (this) {
            if (closed) {
                return;
            }
            devices.values().forEach(Device::requireNothingLent);
            closed = true;
            all = new ArrayList<>(new ArrayList<>(devices.values()).reversed());
        }
        all.add(backends);
        Closing.all(all);
    }
}
