package dev.weft.spi;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DeviceId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The backends on the class or module path. One that is broken does not hide the others; one that is absent is listed
 * with its reason. Opening a backend happens at the first use of one of its devices. Thread-safe.
 */
public final class Backends implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Backends.class);

    /** More broken service entries than any installation has; bounds the search. */
    private static final int MAX_BROKEN = 64;

    private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9]*");

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
        Iterator<ServiceLoader.Provider<BackendProvider>> found =
                ServiceLoader.load(BackendProvider.class).stream().iterator();
        // hasNext throws for a provider whose class is missing or of another type, and then goes on behind it
        for (int broken = 0; broken < MAX_BROKEN; ) {
            try {
                if (!found.hasNext()) {
                    break;
                }
            } catch (ServiceConfigurationError | LinkageError e) {
                broken++;
                backends.absent("provider " + broken, e);
                continue;
            }
            ServiceLoader.Provider<BackendProvider> p = found.next();
            try {
                providers.add(p.get());
            } catch (ServiceConfigurationError | LinkageError | RuntimeException e) {
                backends.absent(p.type().getName(), e);
            }
        }
        return backends.probeAll(providers);
    }

    private void absent(String provider, Throwable cause) {
        LOG.warn("backend {} could not be loaded: {}", provider, reason(cause));
        LOG.debug("backend {}", provider, cause);
        statuses.add(new Status(provider, new Probe.Absent("could not be loaded: " + reason(cause))));
    }

    /** The failure and, where another one is behind it, the first one. */
    private static String reason(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        return root == failure ? failure.toString() : failure + ", caused by " + root;
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
                case Probe.Absent a -> statuses.add(new Status(name(p), a));
            }
        }
        found.sort(Comparator.comparing((Found f) -> -f.probe().priority())
                .thenComparing(f -> f.provider().name()));
        int best = 0;
        for (Found f : found) {
            String name = f.provider().name();
            if (available.putIfAbsent(name, f.provider()) == null) {
                statuses.add(best++, new Status(name, f.probe()));
            } else {
                String taken = available.get(name).getClass().getName();
                statuses.add(new Status(
                        f.provider().getClass().getName(),
                        new Probe.Absent("its name '" + name + "' is taken by " + taken + "; remove one of the two")));
            }
        }
        return this;
    }

    private static String name(BackendProvider p) {
        try {
            return p.name();
        } catch (RuntimeException | LinkageError e) {
            return p.getClass().getName();
        }
    }

    private static Probe probe(BackendProvider p) {
        try {
            if (!p.spiVersion().runsOn(SpiVersion.CURRENT)) {
                return new Probe.Absent("built for backend interface " + p.spiVersion() + ", this library has "
                        + SpiVersion.CURRENT + "; use matching versions");
            }
            if (!NAME.matcher(p.name()).matches()) {
                return new Probe.Absent("name '" + p.name() + "': expected " + NAME + ", as device ids use it");
            }
            return p.probe();
        } catch (RuntimeException | LinkageError e) {
            LOG.warn("backend {}: probe failed: {}", p.getClass().getName(), reason(e));
            LOG.debug("backend {}", p.getClass().getName(), e);
            return new Probe.Absent("probe failed: " + reason(e));
        }
    }

    /** Every backend found, the available ones first and best first. */
    public List<Status> statuses() {
        return List.copyOf(statuses);
    }

    /** All devices of the available backends that open, best backend first, without variants. */
    public List<DeviceInfo> devices() {
        List<DeviceInfo> all = new ArrayList<>();
        for (String name : available.keySet()) {
            try {
                all.addAll(backend(name).devices());
            } catch (ClosedException e) {
                throw e;
            } catch (RuntimeException | LinkageError e) {
                LOG.warn("backend {} does not open, its devices are left out: {}", name, reason(e));
                LOG.debug("backend {}", name, e);
            }
        }
        return all;
    }

    /** {@link Backend#details} of a backend; of one that is absent or does not open, the reason. */
    public List<String> details(String name) {
        try {
            return available.containsKey(name) ? backend(name).details() : List.of();
        } catch (ClosedException e) {
            throw e;
        } catch (RuntimeException | LinkageError e) {
            return List.of("does not open: " + reason(e));
        }
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
