package dev.weft.spi;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DeviceId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The backends on the class or module path. One that is broken does not hide the others; one that is absent is listed
 * with its reason. Opening a backend happens at the first use of one of its devices. Thread-safe.
 */
public final class Backends implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Backends.class);

    private final BackendConfig config;
    private final Map<String, BackendProvider> available = new LinkedHashMap<>();
    private final List<Status> statuses = new ArrayList<>();
    private final Map<String, Backend> opened = new LinkedHashMap<>();
    private boolean closed;

    private Backends(BackendConfig config) {
        this.config = config;
    }

    /**
     * What is known about one backend.
     *
     * @param name its name
     * @param probe available with a version, or absent with a reason
     */
    public record Status(String name, Probe probe) {}

    /** Finds the providers by {@link ServiceLoader} and probes each. */
    public static Backends load(BackendConfig config) {
        List<BackendProvider> providers = new ArrayList<>();
        Backends backends = new Backends(config);
        ServiceLoader.load(BackendProvider.class).stream().forEach(p -> {
            try {
                providers.add(p.get());
            } catch (ServiceConfigurationError | LinkageError | RuntimeException e) {
                LOG.warn("backend {} could not be loaded", p.type().getName(), e);
                backends.statuses.add(new Status(p.type().getName(), new Probe.Absent("could not be loaded: " + e)));
            }
        });
        return backends.probeAll(providers);
    }

    /** Uses the given providers instead of searching. */
    public static Backends of(BackendConfig config, List<BackendProvider> providers) {
        return new Backends(config).probeAll(providers);
    }

    private Backends probeAll(List<BackendProvider> providers) {
        record Found(BackendProvider provider, Probe.Available probe) {}
        List<Found> found = new ArrayList<>();
        for (BackendProvider p : providers) {
            switch (probe(p)) {
                case Probe.Available a -> found.add(new Found(p, a));
                case Probe.Absent a -> statuses.add(new Status(p.name(), a));
            }
        }
        found.sort(Comparator.comparing((Found f) -> -f.probe().priority()).thenComparing(f -> f.provider()
                .name()));
        for (int i = 0; i < found.size(); i++) {
            available.putIfAbsent(found.get(i).provider().name(), found.get(i).provider());
            statuses.add(i, new Status(found.get(i).provider().name(), found.get(i).probe()));
        }
        return this;
    }

    private static Probe probe(BackendProvider p) {
        if (!p.spiVersion().runsOn(SpiVersion.CURRENT)) {
            return new Probe.Absent("built for backend interface " + p.spiVersion() + ", this library has "
                    + SpiVersion.CURRENT + "; use matching versions");
        }
        try {
            return p.probe();
        } catch (RuntimeException | LinkageError e) {
            LOG.warn("backend {}: probe failed", p.name(), e);
            return new Probe.Absent("probe failed: " + e);
        }
    }

    /** Every backend found, the available ones first and best first. */
    public List<Status> statuses() {
        return List.copyOf(statuses);
    }

    /** All devices of the available backends, best backend first, without variants. */
    public List<DeviceInfo> devices() {
        List<DeviceInfo> all = new ArrayList<>();
        for (String name : available.keySet()) {
            all.addAll(backend(name).devices());
        }
        return all;
    }

    /** Opens a device. @throws BackendUnavailableException if its backend is absent or has no such device */
    public BackendDevice device(DeviceId id) {
        if (!available.containsKey(id.backend())) {
            Optional<Status> status =
                    statuses.stream().filter(s -> s.name().equals(id.backend())).findFirst();
            String why = status.map(s -> ((Probe.Absent) s.probe()).reason())
                    .orElseGet(() -> "no such backend; found: "
                            + statuses.stream().map(Status::name).collect(Collectors.joining(", ", "[", "]"))
                            + "; add its artifact to the class or module path");
            throw new BackendUnavailableException("device " + id + ": " + why);
        }
        return backend(id.backend()).open(id);
    }

    private synchronized Backend backend(String name) {
        if (closed) {
            throw new ClosedException("backends: used after close");
        }
        Backend backend = opened.get(name);
        if (backend == null) {
            backend = available.get(name).open(config);
            opened.put(name, backend);
        }
        return backend;
    }

    @Override
    public synchronized void close() {
        closed = true;
        List<Backend> all = new ArrayList<>(opened.values()).reversed();
        opened.clear();
        Closing.all(all);
    }
}
