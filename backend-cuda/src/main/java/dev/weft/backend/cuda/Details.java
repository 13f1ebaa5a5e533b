package dev.weft.backend.cuda;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;

/** What people who look for a fault need to know: the driver, the devices, the images, and NVIDIA's optional libraries. */
final class Details {
    private Details() {}

    static List<String> of(DriverLibrary library, List<DeviceProperties> devices, CudaOptions options) {
        List<String> lines = new ArrayList<>();
        lines.add("driver: " + library.library() + ", " + library.versionText());
        if (!library.searched().isEmpty()) {
            lines.add("searched before: " + String.join(", ", library.searched()));
        }
        var sources = KernelSources.load();
        for (int i = 0; i < devices.size(); i++) {
            DeviceProperties d = devices.get(i);
            lines.add(String.format(
                    Locale.ROOT,
                    "device %d: %s at %s, sm_%d, %d multiprocessors, %.1f GiB, %d KiB shared memory a block, %d MiB L2",
                    i,
                    d.name(),
                    d.bus(),
                    d.chip().sm(),
                    d.chip().multiprocessors(),
                    d.memoryBytes() / (double) (1 << 30),
                    d.chip().sharedBytes() >> 10,
                    d.chip().cacheBytes() >> 20));
            lines.add(options.images(d.chip().sm(), library.version()).describe());
        }
        RuntimeCompiler compiler = new RuntimeCompiler(sources, ImageCache.of(options.cache()), library.version());
        lines.add("kernels: "
                + sources.map(s -> "sources " + ImageOrigin.shortened(s.hash())).orElse("no sources")
                + "; images: "
                + new Images(options.images(), 0, library.version(), compiler)
                        .made()
                        .map(ImageOrigin::toString)
                        .orElse("no note of what they were made of"));
        lines.add("optional nvrtc: " + compiler.describe());
        lines.add("optional " + CublasLtLibrary.NAME + ": " + cublasLt(library, devices));
        lines.add(nccl());
        return lines;
    }

    private static String nccl() {
        return switch (NcclLibrary.open(folders())) {
            case NcclLibrary.Opened opened ->
                "ranks: " + opened.library().versionText() + ", "
                        + opened.library().library();
            case NcclLibrary.Absent absent ->
                "ranks: none, several processes cannot use CUDA devices together; " + absent.reason();
        };
    }

    private static String cublasLt(DriverLibrary driver, List<DeviceProperties> devices) {
        return switch (CublasLtLibrary.open(driver, folders())) {
            case CublasLtLibrary.Opened opened -> {
                CublasLtLibrary library = opened.library();
                String products = devices.stream()
                                .anyMatch(d -> library.lackOfBlockScales(d.chip().sm())
                                        .isEmpty())
                        ? "BF16 and, on compute capability 9.0, FP8 products"
                        : "BF16 products";
                yield library.versionText() + ", " + library.library() + ": " + products + " of the variant "
                        + CudaBackend.CUBLASLT + ", as in cuda:0/" + CudaBackend.CUBLASLT;
            }
            case CublasLtLibrary.Absent absent ->
                "none, not needed; devices have no variant " + CudaBackend.CUBLASLT + "; " + absent.reason();
        };
    }

    /** Where toolkits put them. */
    static List<Path> folders() {
        return Stream.of(System.getenv("CUDA_HOME"), System.getenv("CUDA_PATH"), "/usr/local/cuda")
                .filter(Objects::nonNull)
                .map(home -> Path.of(home, "lib64"))
                .distinct()
                .toList();
    }
}
