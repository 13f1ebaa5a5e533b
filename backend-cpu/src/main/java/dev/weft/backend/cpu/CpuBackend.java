package dev.weft.backend.cpu;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DeviceId;
import dev.weft.natives.NativeLibrary;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The processor as one device, {@code cpu:0}. Its variants are the usable native levels, best first, then {@code vector}
 * where the Vector API is there, then {@code scalar}; the first of them is used if none is named.
 *
 * <p>System properties: {@value #VARIANT}, and those of {@link CpuOptions}.
 */
final class CpuBackend implements Backend {
    /** System property that names the variant of devices opened without one. */
    static final String VARIANT = "weft.cpu.variant";

    static final DeviceId DEVICE = new DeviceId("cpu", 0, "");

    private static final Logger LOG = LoggerFactory.getLogger(CpuBackend.class);

    private final BackendConfig config;
    private final Processor processor = Processor.detect();
    private final Host host;
    /** Kernel sets by variant. */
    private final Map<String, Function<CpuOptions, KernelSet>> variants = new LinkedHashMap<>();

    /** The best native level, which also measures the ceilings of the Java kernels; null without native kernels. */
    private @Nullable NativeLevel bestLevel;

    private final List<CpuDevice> open = new ArrayList<>();
    private boolean closed;

    CpuBackend(BackendConfig config, NativeLibrary.Result library) {
        this.config = config;
        switch (NativeLevel.usable(library)) {
            case NativeLevel.Usable usable -> {
                bestLevel = usable.bestFirst().getFirst();
                host = Host.with(bestLevel.library());
                for (NativeLevel level : usable.bestFirst()) {
                    variants.put(level.name(), options -> new NativeKernels(level, options));
                }
            }
            case NativeLevel.Unusable unusable -> {
                host = Host.without(unusable.reason());
                LOG.warn("CPU kernels run in Java, much slower: {}", unusable.reason());
            }
        }
        if (VectorApi.isPresent()) {
            variants.put("vector", options -> VectorApi.kernels(options.threads()));
        }
        variants.put("scalar", options -> new ReferenceKernels());
    }

    @Override
    public List<DeviceInfo> devices() {
        String variant = chosen("");
        try (KernelSet kernels = variants.get(variant).apply(CpuOptions.of(config, host))) {
            return List.of(info(DEVICE, kernels));
        }
    }

    @Override
    public synchronized BackendDevice open(DeviceId id) {
        if (closed) {
            throw new ClosedException("backend cpu: used after close");
        }
        if (!id.base().equals(DEVICE)) {
            throw new BackendUnavailableException("device " + id + ": found only " + DEVICE);
        }
        CpuOptions options = CpuOptions.of(config, host);
        if (options.interleave()) {
            LOG.info("memory of {} is spread over {} memory node(s)", id, host.memoryNodes());
        }
        KernelSet kernels = variants.get(chosen(id.variant())).apply(options);
        try {
            CpuDevice device = new CpuDevice(
                    info(id, kernels),
                    kernels,
                    Yardstick.of(kernels, bestLevel, options),
                    memoryLimit(),
                    options,
                    host);
            open.add(device);
            return device;
        } catch (RuntimeException | Error e) {
            kernels.close();
            throw e;
        }
    }

    private DeviceInfo info(DeviceId id, KernelSet kernels) {
        int threads = kernels.threads();
        String description = processor.model() + ", " + kernels.description() + ", " + threads
                + (threads == 1 ? " thread" : " threads");
        return new DeviceInfo(id, description, kernels.tier(), processor.memoryBytes(), List.copyOf(variants.keySet()));
    }

    private long memoryLimit() {
        return config.memoryLimit() > 0 ? config.memoryLimit() : processor.memoryBytes();
    }

    private String chosen(String variant) {
        if (!variant.isEmpty()) {
            return existing("device " + DEVICE + "/" + variant, variant);
        }
        String forced = System.getProperty(VARIANT, "").strip();
        return forced.isEmpty() ? variants.keySet().iterator().next() : existing("-D" + VARIANT + "=" + forced, forced);
    }

    private String existing(String subject, String variant) {
        if (!variants.containsKey(variant)) {
            throw new BackendUnavailableException(
                    subject + ": no variant '" + variant + "' here, expected one of " + variants.keySet());
        }
        return variant;
    }

    @Override
    public synchronized void close() {
        closed = true;
        List<CpuDevice> devices = List.copyOf(open).reversed();
        open.clear();
        Closing.all(devices);
    }
}
