package dev.weft.backend.cpu.session;

import dev.weft.conformance.model.GoldenModel;
import dev.weft.io.Checkpoint;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Weft;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A model that computes thousands of tokens a second, with every kind of layer and an MTP block.
 *
 * @param weft owner of the device
 * @param checkpoint its files
 * @param model the model
 */
record TinyModel(Weft weft, Checkpoint checkpoint, DeepSeekV4 model) implements AutoCloseable {
    static final int VOCABULARY = 256;

    /** The configuration of the golden micro model, with an MTP block. */
    static ModelConfig config() {
        return ModelConfig.read(GoldenModel.micro().directory().resolve("config.json"))
                .with(Map.of(
                        "num_nextn_predict_layers", 1,
                        "compress_ratios", List.of(0, 4, 128, 0),
                        "max_position_embeddings", 8192));
    }

    /** Writes a checkpoint of random weights. */
    static void write(Path directory, ModelConfig config, long seed) {
        SyntheticCheckpoint.of(config, seed).write(directory);
    }

    static TinyModel open(Path directory, String device, LoadOptions options) {
        Weft weft = Weft.open();
        Checkpoint checkpoint = null;
        try {
            checkpoint = Checkpoint.open(directory);
            return new TinyModel(weft, checkpoint, DeepSeekV4.load(checkpoint, weft.device(device), options));
        } catch (RuntimeException | Error e) {
            if (checkpoint != null) {
                checkpoint.close();
            }
            weft.close();
            throw e;
        }
    }

    static TinyModel open(Path directory, LoadOptions options) {
        return open(directory, "cpu:0", options);
    }

    /** Random token ids, the same for the same seed. */
    static int[] ids(int count, long seed) {
        return new SplittableRandom(seed).ints(count, 0, VOCABULARY).toArray();
    }

    @Override
    public void close() {
        model.close();
        checkpoint.close();
        weft.close();
    }
}
