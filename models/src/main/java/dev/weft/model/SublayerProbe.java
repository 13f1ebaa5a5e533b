package dev.weft.model;

import dev.weft.io.Checkpoint;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import java.util.stream.IntStream;

/**
 * Runs one sublayer of a checkpoint on given inputs, so that an implementation can be compared piece by piece without
 * differences piling up.
 */
public final class SublayerProbe {
    private final Checkpoint checkpoint;
    private final Device device;
    private final NumericMode mode;

    /** @param mode FP32 or QAT32: values go in and come out as F32 */
    public SublayerProbe(Checkpoint checkpoint, Device device, NumericMode mode) {
        this.checkpoint = checkpoint;
        this.device = device;
        this.mode = mode;
    }

    /**
     * Output of a sublayer for one sequence starting at position 0.
     *
     * @param layer backbone layer
     * @param attention attention, else mixture of experts
     * @param ids token of every row (hash routing needs them)
     * @param x normalised inputs, {@code [rows, hidden]}
     * @return {@code [rows, hidden]}
     */
    public float[] run(int layer, boolean attention, int[] ids, float[] x) {
        ModelConfig config = ModelConfig.read(checkpoint.directory().resolve("config.json"));
        LoadOptions options =
                LoadOptions.defaults().mode(mode).maxContext(ids.length).maxTokens(ids.length);
        CompiledGraph compiled = device.compile(V4Graphs.sublayer(config, options, layer, attention));
        try (DeviceWeights weights = compiled.loadWeights(new V4Weights(checkpoint));
                StateStore states = compiled.newStates();
                Execution e = compiled.newExecution(weights, states)) {
            e.bind(V4Inputs.TOKENS, ids.length).bind(V4Inputs.SEQUENCES, 1).bind(V4Inputs.LOGITS, 0);
            e.set("ids", ids).set("positions", IntStream.range(0, ids.length).toArray());
            e.set("starts", 0, ids.length).set("slots", 0);
            e.set("pages", IntStream.range(0, options.pagesPerSequence()).toArray());
            e.set("logitRows", new int[0]).set(V4Graphs.SUBLAYER_IN, x);
            e.run();
            return e.floats(V4Graphs.SUBLAYER_OUT);
        }
    }
}
