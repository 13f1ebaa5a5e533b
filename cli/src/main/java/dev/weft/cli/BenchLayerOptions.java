package dev.weft.cli;

import dev.weft.bench.LayerBench;
import dev.weft.model.LayerStack;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.runtime.Device;
import dev.weft.spi.Communicator;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say which layers are measured, and their loading. */
final class BenchLayerOptions {
    @Option(
            names = "--model",
            paramLabel = "MODEL",
            defaultValue = "flash",
            description = "flash, pro, tiny or the file of a configuration. Default: ${DEFAULT-VALUE}.")
    private String model = "";

    @Option(
            names = "--context",
            paramLabel = "TOKENS",
            defaultValue = "4096",
            description = "Tokens before those that are measured. Default: ${DEFAULT-VALUE}.")
    private int context;

    /** The configuration asked for. @throws UsageException if there is none such */
    ModelConfig config() {
        return ConfigPreset.named("--model", model);
    }

    String model() {
        return model;
    }

    /** Tokens before. @throws UsageException if it is negative, or too many together with {@code tokens} */
    int context(ModelConfig config, int tokens) {
        int most = config.maxPositionEmbeddings() - tokens;
        if (context < 0 || context > most) {
            throw new UsageException("--context: found " + context + ", expected 0 to " + most + ", which with "
                    + tokens + " more tokens is the longest context of the model");
        }
        return context;
    }

    /** Loads layers with progress shown. */
    static LayerBench load(Terminal terminal, Device device, ModelConfig config, LayerStack stack, long seed) {
        return load(terminal, device, config, stack, seed, ParallelPlan.ALONE, null);
    }

    /** Loads a rank's share of layers with progress shown, on rank 0 alone. @param world null for a process alone */
    static LayerBench load(
            Terminal terminal,
            Device device,
            ModelConfig config,
            LayerStack stack,
            long seed,
            ParallelPlan plan,
            @Nullable Communicator world) {
        try (Progress progress = Progress.of(world, terminal, "filling weights", Progress.Unit.BYTES, 0)) {
            return LayerBench.load(device, config, stack, seed, plan, world, progress);
        }
    }

    /** A kind by name. @throws UsageException if there is none such */
    static LayerKind kind(String name) {
        return Arrays.stream(LayerKind.values())
                .filter(k -> key(k).equals(name))
                .findFirst()
                .orElseThrow(() -> new UsageException("--kind: found '" + name + "', expected one of "
                        + Arrays.stream(LayerKind.values())
                                .map(BenchLayerOptions::key)
                                .collect(Collectors.joining(", "))));
    }

    /** Name of a kind on the command line and in reports. */
    static String key(LayerKind kind) {
        return kind.name().toLowerCase(Locale.ROOT);
    }
}
