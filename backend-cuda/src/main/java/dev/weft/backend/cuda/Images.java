package dev.weft.backend.cuda;

import dev.weft.UnsupportedOpException;
import dev.weft.backend.cuda.kernel.Chip;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Compiled kernels: one image per file of {@code native/cuda/kernels} and target, {@code gemm.sm_90a.cubin}, and one in PTX,
 * {@code gemm.compute_80.ptx}, which the driver compiles for devices that have no image where NVRTC is missing. They are
 * resources of this library, or files of a folder that replaces them.
 */
final class Images {
    private static final String RESOURCES = "/META-INF/weft/cuda/";
    private static final String PTX = "compute_80";

    /** Ends the name of a target of exactly one chip. */
    private static final String OWN = "a";

    /** The first chip whose kernels can wait for kernels ahead. */
    private static final int WAITING_SM = 90;

    /** How nvcc says in PTX which toolkit wrote it. */
    private static final Pattern RELEASE = Pattern.compile("release (\\d+)\\.(\\d+)");

    private static final int HEAD_BYTES = 1024;

    private final String folder;
    private final int sm;
    private final int driverVersion;
    private final RuntimeCompiler compiler;
    private final Map<String, String> refused = new ConcurrentHashMap<>();

    /**
     * @param folder where they are, empty for this library's own
     * @param sm compute capability times ten
     * @param driverVersion as {@link DriverLibrary#version}
     * @param compiler for devices that have no image
     */
    Images(String folder, int sm, int driverVersion, RuntimeCompiler compiler) {
        this.folder = folder;
        this.sm = sm;
        this.driverVersion = driverVersion;
        this.compiler = compiler;
    }

    /**
     * A compiled module.
     *
     * @param origin where it was found
     * @param target what it was compiled for, {@code sm_90a}
     * @param bytes a cubin, or text in PTX
     * @param waits whether its kernels wait themselves for kernels ahead
     */
    record Image(String origin, String target, byte[] bytes, boolean waits) {
        Source source() {
            return new Source(origin, target);
        }
    }

    /**
     * Where an {@link Image} comes from.
     *
     * @param origin as there
     * @param target as there
     */
    record Source(String origin, String target) {
        /** Whether it has what no other chip can do: compilers leave that out of images for families and in PTX. */
        boolean hasOwnFeatures() {
            return target.endsWith(OWN);
        }
    }

    /**
     * Targets whose images run on a device, best first: of exactly this chip with its own features, of its family, then
     * plain ones of the same major number.
     */
    static List<String> targets(int sm) {
        List<String> targets = new ArrayList<>(List.of("sm_" + sm + OWN));
        int least = sm / 10 * 10;
        for (int s = sm; s >= least; s--) {
            targets.add("sm_" + s + "f");
        }
        for (int s = sm; s >= least; s--) {
            targets.add("sm_" + s);
        }
        return targets;
    }

    /** The driver does not load an image, for it may be older than the toolkit: it is passed over from now on. */
    void refuse(Image image, String reason) {
        refused.put(image.origin(), reason);
    }

    /**
     * The image of a module for the device.
     *
     * @throws UnsupportedOpException if there is none: names what was looked for, and why PTX does not help
     */
    Image of(String module) {
        if (!folder.isEmpty()) {
            requireSameSources();
        }
        List<String> targets = targets(sm);
        for (String target : targets) {
            Image image = read(module + "." + target + ".cubin", target, sm >= WAITING_SM);
            if (image != null) {
                return image;
            }
        }
        RuntimeCompiler.Result compiled = compiler.compile(module, sm);
        if (compiled instanceof RuntimeCompiler.Compiled(String origin, byte[] cubin) && isAllowed(origin)) {
            return new Image(origin, RuntimeCompiler.target(sm), cubin, sm >= WAITING_SM);
        }
        String name = module + "." + PTX + ".ptx";
        Image ptx = read(name, PTX, false);
        if (ptx != null && toolkit(ptx) <= driverVersion) {
            return ptx;
        }
        String why = ptx == null
                ? isAllowed(origin(name)) ? name + " is not there either" : refused.get(origin(name))
                : name + " needs a driver for CUDA " + DriverLibrary.text(toolkit(ptx)) + ", found "
                        + DriverLibrary.text(driverVersion);
        throw new UnsupportedOpException("no image of the kernels '" + module + "' for a device of sm_" + sm + " in "
                + (folder.isEmpty() ? "this library" : folder) + ": looked for cubins of "
                + String.join(", ", targets) + refusals(module, targets) + "; " + reason(compiled) + "; " + why
                + "; build this library where nvcc is on the PATH, or set -D" + CudaOptions.IMAGES
                + " to a folder with "
                + module + ".sm_" + sm + ".cubin");
    }

    private boolean isAllowed(String origin) {
        return !refused.containsKey(origin);
    }

    /** What the driver said of cubins that are there. */
    private String refusals(String module, List<String> targets) {
        return targets.stream()
                .map(target -> refused.get(origin(module + "." + target + ".cubin")))
                .filter(Objects::nonNull)
                .map(reason -> "; " + reason)
                .collect(Collectors.joining());
    }

    private String reason(RuntimeCompiler.Result compiled) {
        return switch (compiled) {
            case RuntimeCompiler.Compiled c -> refused.get(c.origin());
            case RuntimeCompiler.Refused r -> r.reason();
        };
    }

    /** The toolkit that wrote the PTX, 13000 for 13.0; 0 if it does not say, then the driver decides. */
    private static int toolkit(Image ptx) {
        int length = Math.min(ptx.bytes().length, HEAD_BYTES);
        Matcher m = RELEASE.matcher(new String(ptx.bytes(), 0, length, StandardCharsets.ISO_8859_1));
        return m.find() ? 1000 * Integer.parseInt(m.group(1)) + 10 * Integer.parseInt(m.group(2)) : 0;
    }

    private @Nullable Image read(String file, String target, boolean waits) {
        byte[] bytes = bytes(file);
        return bytes == null ? null : new Image(origin(file), target, bytes, waits);
    }

    private String origin(String file) {
        return (folder.isEmpty() ? RESOURCES : folder + "/") + file;
    }

    private byte @Nullable [] bytes(String file) {
        if (!isAllowed(origin(file))) {
            return null;
        }
        try {
            if (folder.isEmpty()) {
                try (InputStream in = Images.class.getResourceAsStream(RESOURCES + file)) {
                    return in == null ? null : in.readAllBytes();
                }
            }
            Path path = Path.of(folder, file);
            return Files.isRegularFile(path) ? Files.readAllBytes(path) : null;
        } catch (IOException e) {
            throw new UncheckedIOException("kernel image " + file + ": " + e.getMessage(), e);
        }
    }

    /** What the images were made of; empty if nobody noted it. */
    Optional<ImageOrigin> made() {
        return Optional.ofNullable(bytes(ImageOrigin.FILE))
                .map(text -> ImageOrigin.parse(new String(text, StandardCharsets.UTF_8)));
    }

    /** @throws UnsupportedOpException if the images were made from other texts than this library has */
    private void requireSameSources() {
        Optional<String> ours = compiler.sources().map(KernelSources::hash);
        made().ifPresent(made -> {
            if (ours.isPresent() && !made.sources().equals(ours.get())) {
                throw new UnsupportedOpException("kernel images in " + folder + ": found kernel sources "
                        + ImageOrigin.shortened(made.sources()) + ", expected "
                        + ImageOrigin.shortened(ours.get()) + "; build image and library together");
            }
        });
    }

    /**
     * What {@link #of} would give, without reading cubins or compiling: if a compilation fails, it is something less.
     *
     * @throws UnsupportedOpException as {@link #of}
     */
    Source source(String module) {
        if (!folder.isEmpty()) {
            requireSameSources();
        }
        for (String target : targets(sm)) {
            String file = module + "." + target + ".cubin";
            if (exists(file)) {
                return new Source(origin(file), target);
            }
        }
        return compiler.origin(module, sm)
                .filter(this::isAllowed)
                .map(origin -> new Source(origin, RuntimeCompiler.target(sm)))
                .orElseGet(() -> of(module).source());
    }

    private boolean exists(String file) {
        return isAllowed(origin(file))
                && (folder.isEmpty()
                        ? Images.class.getResource(RESOURCES + file) != null
                        : Files.isRegularFile(Path.of(folder, file)));
    }

    private boolean hasOwnFeatures(String module) {
        try {
            return source(module).hasOwnFeatures();
        } catch (UnsupportedOpException e) {
            return false;
        }
    }

    /** Which images a device loads, shown by one of them, and what is slower for want of another, for people. */
    String describe() {
        String subject = "images for sm_" + sm + ": ";
        try {
            String lacking = lacking();
            return subject + "as " + source("plain").origin() + (lacking.isEmpty() ? "" : "; " + lacking);
        } catch (UnsupportedOpException e) {
            return subject + "none: " + e.getMessage();
        }
    }

    /** What runs slower because images are not for exactly this chip; empty if nothing does. */
    String lacking() {
        String own = "sm_" + sm + OWN;
        List<String> without = Chip.ownModules(sm).stream()
                .filter(module -> !hasOwnFeatures(module))
                .toList();
        return without.isEmpty()
                ? ""
                : "slower kernels multiply many tokens: products of warpgroups need images for " + own + ", which "
                        + String.join(", ", without) + (without.size() == 1 ? " lacks" : " lack");
    }
}
