package dev.weft.cli;

import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.Closing;
import java.util.ArrayList;
import java.util.List;

/**
 * A model with all it stands on, closed together.
 *
 * @param weft owner of the device
 * @param checkpoint files of the model
 * @param model the model on its device
 * @param device the device
 */
record LoadedModel(Weft weft, Checkpoint checkpoint, DeepSeekV4 model, Device device) implements AutoCloseable {
    static LoadedModel open(Terminal terminal, ModelOptions options, LoadOptions load) {
        List<AutoCloseable> opened = new ArrayList<>();
        try {
            Checkpoint checkpoint = Checkpoint.open(options.directory());
            opened.addFirst(checkpoint);
            Weft weft = options.openWeft();
            opened.addFirst(weft);
            Device device = options.device(weft);
            return new LoadedModel(
                    weft, checkpoint, load(terminal, checkpoint, device, load, options.compileOptions()), device);
        } catch (RuntimeException | Error e) {
            Closing.all(opened);
            throw e;
        }
    }

    /** Loads with progress shown. */
    static DeepSeekV4 load(Terminal terminal, Checkpoint checkpoint, Device device, LoadOptions options) {
        return load(terminal, checkpoint, device, options, CompileOptions.DEFAULT);
    }

    private static DeepSeekV4 load(
            Terminal terminal, Checkpoint checkpoint, Device device, LoadOptions options, CompileOptions compile) {
        try (Progress progress = new Progress(terminal, "loading weights", Progress.Unit.BYTES, 0)) {
            return DeepSeekV4.load(checkpoint, device, options, compile, progress);
        }
    }

    @Override
    public void close() {
        Closing.all(List.of(model, weft, checkpoint));
    }
}
