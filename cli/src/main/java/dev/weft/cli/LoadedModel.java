package dev.weft.cli;

import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.ranks.Ranks;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.Closing;
import dev.weft.spi.Communicator;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A model with all it stands on, closed together.
 *
 * @param weft owner of the device
 * @param checkpoint files of the model
 * @param model the model on its device
 * @param device the device
 */
record LoadedModel(Weft weft, Checkpoint checkpoint, DeepSeekV4 model, Device device) implements AutoCloseable {
    /** @param world the ranks that share the model, null for one device */
    static LoadedModel open(
            Terminal terminal,
            ModelOptions options,
            LoadOptions load,
            RankOptions ranks,
            @Nullable Communicator world) {
        List<AutoCloseable> opened = new ArrayList<>();
        try {
            Checkpoint checkpoint = Checkpoint.open(options.directory());
            opened.addFirst(checkpoint);
            Weft weft = options.openWeft();
            opened.addFirst(weft);
            Device device = options.device(weft);
            CompileOptions compile = options.compileOptions();
            DeepSeekV4 model = load(terminal, checkpoint, device, load, compile, ranks, world);
            return new LoadedModel(weft, checkpoint, model, device);
        } catch (RuntimeException | Error e) {
            Closing.all(opened);
            throw e;
        }
    }

    /** Loads on one device with progress shown. */
    static DeepSeekV4 load(Terminal terminal, Checkpoint checkpoint, Device device, LoadOptions options) {
        return load(terminal, checkpoint, device, options, CompileOptions.DEFAULT, new RankOptions(), null);
    }

    /** Loads with progress shown, on rank 0 alone. */
    static DeepSeekV4 load(
            Terminal terminal,
            Checkpoint checkpoint,
            Device device,
            LoadOptions wanted,
            CompileOptions compile,
            RankOptions ranks,
            @Nullable Communicator world) {
        LoadOptions options = ranks.bounds(wanted);
        if (world == null) {
            try (Progress progress = progress(terminal)) {
                return DeepSeekV4.load(checkpoint, device, options, compile, progress);
            }
        }
        ModelConfig config = ModelConfig.read(checkpoint.directory().resolve("config.json"));
        ParallelPlan plan = ranks.plan(world.size(), config);
        CompileOptions ours = compile.withGroup(ranks.group(world, device));
        if (world.rank() > 0) {
            return DeepSeekV4.load(checkpoint, device, options, ours, plan, bytes -> {});
        }
        try (Progress progress = progress(terminal)) {
            return DeepSeekV4.load(checkpoint, device, options, ours, plan, progress);
        }
    }

    private static Progress progress(Terminal terminal) {
        return new Progress(terminal, "loading weights", Progress.Unit.BYTES, 0);
    }

    /** Whether another rank works and this one follows it, which is done when this returns. */
    static boolean follows(Terminal terminal, DeepSeekV4 model, @Nullable Communicator world) {
        if (world == null) {
            return false;
        }
        if (world.rank() == 0) {
            model.lead(lost -> Ranks.end(world, lost, e -> Errors.rankFailed(terminal, e)));
            return false;
        }
        model.follow();
        return true;
    }

    @Override
    public void close() {
        Closing.all(List.of(model, weft, checkpoint));
    }
}
