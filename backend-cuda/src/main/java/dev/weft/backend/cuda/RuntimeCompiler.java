package dev.weft.backend.cuda;

import dev.weft.UnsupportedOpException;
import dev.weft.backend.cuda.kernel.Chip;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compiles kernels where they run, by NVRTC, for devices that no image is made for. The library is looked for when the first
 * image is wanted, and a module that does not compile is tried once. For one chip; used on the device's thread.
 */
final class RuntimeCompiler {
    private static final Logger LOG = LoggerFactory.getLogger(RuntimeCompiler.class);

    /** As nvcc is called, see BuildCuda; headers hold functions that name no execution space. */
    private static final List<String> OPTIONS =
            List.of("--std=c++20", "--fmad=false", "--device-as-default-execution-space");

    private final Optional<KernelSources> sources;
    private final ImageCache cache;
    private final int driverVersion;
    private final Map<String, Refused> refused = new HashMap<>();
    private NvrtcLibrary.@Nullable Result library;

    /**
     * @param sources texts of the kernels, empty if this library has none
     * @param cache where images are kept
     * @param driverVersion as {@link DriverLibrary#version}
     */
    RuntimeCompiler(Optional<KernelSources> sources, ImageCache cache, int driverVersion) {
        this.sources = sources;
        this.cache = cache;
        this.driverVersion = driverVersion;
    }

    Optional<KernelSources> sources() {
        return sources;
    }

    /** Outcome of {@link #compile}. */
    sealed interface Result {}

    /**
     * @param origin what made it, for people
     * @param cubin the image
     */
    record Compiled(String origin, byte[] cubin) implements Result {}

    /** @param reason in one sentence */
    record Refused(String reason) implements Result {}

    private NvrtcLibrary.Result library() {
        NvrtcLibrary.Result known = library;
        if (known == null) {
            known = NvrtcLibrary.open(driverVersion, Details.folders());
            library = known;
        }
        return known;
    }

    /** What it would compile with, for people. */
    String describe() {
        return switch (library()) {
            case NvrtcLibrary.Absent absent -> "none, needed only where no image fits the device; " + absent.reason();
            case NvrtcLibrary.Opened(NvrtcLibrary nvrtc) ->
                nvrtc.library() + ", version " + DriverLibrary.text(nvrtc.version())
                        + ", compiles kernels where no image fits the device; kept in "
                        + cache.folder().map(Object::toString).orElse("no folder");
        };
    }

    /** The image of a module for a chip, compiled now or earlier. */
    Result compile(String module, int sm) {
        if (sources.isEmpty()) {
            return new Refused("this library has no texts of its kernels to compile");
        }
        return switch (library()) {
            case NvrtcLibrary.Absent absent -> new Refused(absent.reason());
            case NvrtcLibrary.Opened(NvrtcLibrary nvrtc)
            when !nvrtc.archs().contains(sm) ->
                new Refused("NVRTC " + nvrtc.library() + ", version " + DriverLibrary.text(nvrtc.version())
                        + ", compiles for " + nvrtc.archs() + ", not for " + sm);
            case NvrtcLibrary.Opened(NvrtcLibrary nvrtc) -> compile(nvrtc, sources.get(), module, sm);
        };
    }

    /** How the image is named that {@link #compile} would try to make, without making it; empty if it is known to refuse. */
    Optional<String> origin(String module, int sm) {
        boolean tries = sources.filter(s -> s.has(module)).isPresent() && !refused.containsKey(module);
        return tries
                        && library() instanceof NvrtcLibrary.Opened(NvrtcLibrary nvrtc)
                        && nvrtc.archs().contains(sm)
                ? Optional.of(origin(nvrtc, module, sm))
                : Optional.empty();
    }

    private static String origin(NvrtcLibrary nvrtc, String module, int sm) {
        return module + " for " + target(sm) + " by NVRTC " + DriverLibrary.text(nvrtc.version());
    }

    /** What is compiled for a chip: products of warpgroups are among Hopper's own features. */
    static String target(int sm) {
        return "sm_" + sm + (Chip.ownModules(sm).isEmpty() ? "" : "a");
    }

    private Result compile(NvrtcLibrary nvrtc, KernelSources texts, String module, int sm) {
        String target = target(sm);
        List<String> options = new ArrayList<>(OPTIONS);
        options.add("--gpu-architecture=" + target);
        String origin = origin(nvrtc, module, sm);
        String key = texts.hash() + " " + nvrtc.version() + " " + options;
        Optional<byte[]> kept = cache.read(module, key);
        if (kept.isPresent()) {
            return new Compiled(origin, kept.get());
        }
        Refused known = refused.get(module);
        if (known != null) {
            return known;
        }
        try {
            LOG.info("compiling kernels {}", origin);
            byte[] cubin = nvrtc.compile(module, texts, options);
            cache.write(module, key, cubin);
            return new Compiled(origin, cubin);
        } catch (UnsupportedOpException e) {
            LOG.warn("{}", e.getMessage());
            Refused reason = new Refused(String.valueOf(e.getMessage()));
            refused.put(module, reason);
            return reason;
        }
    }
}
