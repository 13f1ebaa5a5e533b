package dev.weft.cli;

import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.runtime.WeightRoute;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Communicator;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Options of the commands that load a model: which one, where to, and how its numbers flow. */
final class ModelOptions {
    @Parameters(index = "0", paramLabel = "MODEL", description = "Folder of the checkpoint.")
    private Path directory = Path.of("");

    @Option(
            names = "--device",
            paramLabel = "ID",
            description = "Device, as in cpu:0 or cpu:0/scalar; ascend:local for the one whose number a rank has on its"
                    + " host. Default: the best.")
    private @Nullable String device;

    @Option(
            names = "--numerics",
            paramLabel = "MODE",
            defaultValue = "bf16",
            converter = NumericModeConverter.class,
            description = "fp32 (exact weights, no activation quantisers), qat32 (F32 with quantisers) or bf16 (the"
                    + " publisher's flow). Default: ${DEFAULT-VALUE}.")
    private NumericMode numerics = NumericMode.BF16;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Worker threads of the CPU. Default: one per processor.")
    private int threads;

    @Option(
            names = "--weights",
            paramLabel = "ROUTE",
            defaultValue = "auto",
            converter = WeightRouteConverter.class,
            description = "packed (all read at the start), file (each read when first needed, experts giving way to"
                    + " others as memory demands) or auto (packed if it fits). Default: ${DEFAULT-VALUE}.")
    private WeightRoute weights = WeightRoute.AUTO;

    /** What was given as the model, whatever it is. */
    Path path() {
        return directory;
    }

    /** Folder of the checkpoint. @throws UsageException if there is none */
    Path directory() {
        return requireDirectory(directory);
    }

    /** The folder given. @throws UsageException if there is none */
    static Path requireDirectory(Path directory) {
        if (!Files.isDirectory(directory)) {
            throw new UsageException(
                    "MODEL: " + directory + (Files.exists(directory) ? ": no folder" : ": no such folder")
                            + ", expected the folder of a checkpoint with config.json and *.safetensors");
        }
        return directory;
    }

    /** How the model is compiled. */
    CompileOptions compileOptions() {
        return CompileOptions.DEFAULT.withWeights(weights);
    }

    NumericMode numerics() {
        return numerics;
    }

    /** Finds the backends with the settings given. */
    Weft openWeft() {
        return Weft.open(BackendConfig.DEFAULT.withThreads(requireThreads(threads)));
    }

    /** The number given. @throws UsageException if it is negative */
    static int requireThreads(int threads) {
        if (threads < 0) {
            throw new UsageException(
                    "--threads: found " + threads + ", expected 1 or more, or 0 for one per processor");
        }
        return threads;
    }

    /** The device asked for. */
    Device device(Weft weft) {
        return device == null ? weft.best() : weft.device(LocalDevice.id(device));
    }

    /** Loads the model for sequences of up to {@code maxContext} tokens, at most {@code maxTokens} of them at once. */
    LoadedModel load(Terminal terminal, LoadOptions options) {
        return load(terminal, options, new RankOptions(), null);
    }

    /** Loads the model, or a rank's share of it. @param world the ranks, null for one device */
    LoadedModel load(Terminal terminal, LoadOptions options, RankOptions ranks, @Nullable Communicator world) {
        return LoadedModel.open(terminal, this, options.mode(numerics), ranks, world);
    }
}
