package dev.weft.conformance.toy;

import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendProvider;
import dev.weft.spi.Probe;
import dev.weft.spi.SpiVersion;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Provider of an accelerator that exists in software only, written against nothing but the backend interface. It is
 * unforgiving where real devices are: own addresses, work that runs later on other threads, poisoned memory, guard zones
 * and a leak report; and it breaks on request ({@link ToyFaults}).
 */
public final class ToyProvider implements BackendProvider {
    private final String name;
    private final ToyFaults faults;
    private final List<ToyDevice> opened = new CopyOnWriteArrayList<>();

    /** A provider without faults, as {@link java.util.ServiceLoader} needs it. */
    public ToyProvider() {
        this(new ToyFaults());
    }

    /** A provider whose devices obey {@code faults}. */
    public ToyProvider(ToyFaults faults) {
        this(faults, "toy");
    }

    /** A provider under another name, to stand beside the first one. */
    public ToyProvider(ToyFaults faults, String name) {
        this.faults = faults;
        this.name = name;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public SpiVersion spiVersion() {
        return new SpiVersion(1, 0);
    }

    @Override
    public Probe probe() {
        return new Probe.Available(1, "1.0");
    }

    @Override
    public Backend open(BackendConfig config) {
        return new ToyBackend(name, config, faults, opened);
    }

    /** Every device opened through this provider, closed ones included. */
    List<ToyDevice> opened() {
        return opened;
    }
}
