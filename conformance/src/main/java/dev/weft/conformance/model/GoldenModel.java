package dev.weft.conformance.model;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A checkpoint with the outputs that independent implementations computed from it. The small one travels with this module;
 * the others are used in place from a folder {@code shared/golden}, found by the system property {@code weft.golden} or
 * above the working directory.
 *
 * @param name name of the model
 * @param directory checkpoint and golden files
 * @param gate largest absolute logit difference in exact-semantics mode
 */
public record GoldenModel(String name, Path directory, double gate) {
    private static final double DEFAULT_GATE = 5e-4;
    private static final double DEMO_GATE = 1e-3;
    private static final List<String> MICRO_FILES = List.of(
            "config.json",
            "model.safetensors.index.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "golden_fp32.safetensors",
            "golden_qat32.safetensors");

    /** The folder with the golden data, if it is here. */
    public static Optional<Path> folder() {
        String property = System.getProperty("weft.golden");
        if (property != null) {
            return Optional.of(Path.of(property)).filter(Files::isDirectory);
        }
        for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
            Path candidate = p.resolve("shared").resolve("golden");
            if (Files.isDirectory(candidate)) {
                return Optional.of(candidate);
            }
        }
        return Optional.empty();
    }

    /** The models there are: micro always, the others where the folder is. */
    public static List<GoldenModel> all() {
        List<GoldenModel> models = new ArrayList<>();
        models.add(micro());
        folder().ifPresent(f -> {
            for (String name : List.of("smooth", "tiny-flash", "tiny-pro")) {
                add(models, name, f.resolve(name), DEFAULT_GATE);
            }
            add(models, "demo-model", f.resolveSibling("demo-model"), DEMO_GATE);
        });
        return models;
    }

    private static void add(List<GoldenModel> models, String name, Path directory, double gate) {
        if (Files.isRegularFile(directory.resolve("golden_fp32.safetensors"))) {
            models.add(new GoldenModel(name, directory, gate));
        }
    }

    /** The small model, unpacked from this module. */
    public static GoldenModel micro() {
        return Micro.MODEL;
    }

    /** Golden tensors of a mode: {@code fp32}, {@code qat32} or {@code bf16}. */
    public GoldenTensors tensors(String mode) {
        return GoldenTensors.open(file(mode));
    }

    /** Whether there are golden tensors of a mode. */
    public boolean has(String mode) {
        return Files.isRegularFile(file(mode));
    }

    private Path file(String mode) {
        return directory.resolve("golden_" + mode + ".safetensors");
    }

    @Override
    public String toString() {
        return name;
    }

    /** Unpacks once per process; files are removed at exit. */
    private static final class Micro {
        static final GoldenModel MODEL = new GoldenModel("micro", unpack(), DEFAULT_GATE);

        private static Path unpack() {
            try {
                Path folder = Files.createTempDirectory("weft-micro");
                folder.toFile().deleteOnExit();
                for (String name : MICRO_FILES) {
                    Path file = folder.resolve(name);
                    file.toFile().deleteOnExit();
                    try (InputStream in = GoldenModel.class.getResourceAsStream("micro/" + name)) {
                        if (in == null) {
                            throw new IllegalStateException(
                                    "resource micro/" + name + " is missing from weft-conformance");
                        }
                        Files.copy(in, file);
                    }
                }
                return folder;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
