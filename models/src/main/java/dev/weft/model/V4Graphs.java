package dev.weft.model;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.io.Checkpoint;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.Add;
import dev.weft.op.Expand;
import dev.weft.op.Gather;
import dev.weft.op.HyperHead;
import dev.weft.op.OpInstance;
import dev.weft.op.Sample;
import dev.weft.runtime.Device;
import dev.weft.spi.WeightSource;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * DeepSeek-V4 as graphs: the backbone, and the multi-token-prediction block, both driven by the fields of the
 * configuration (specification 4 to 7). One graph serves prefill, chunks and decode: a step is any number of rows of any
 * number of sequences.
 */
public final class V4Graphs {
    /** Output with the residual streams of all rows after the last layer, there when MTP is loaded. */
    static final String HIDDEN = "hidden";

    /** Output with the logits of the wanted rows. */
    static final String LOGITS = "logits";

    /** Output with the tokens drawn from the wanted rows, and what they are drawn by. */
    static final String DRAWN = "drawn";

    static final String TEMPERATURE = "temperature";
    static final String TOP_P = "topP";
    static final String UNIFORM = "uniform";

    private V4Graphs() {}

    /** Embedding, all layers, output head. */
    public static Graph backbone(ModelConfig c, LoadOptions o) {
        return backbone(c, o, false);
    }

    /**
     * The same as a device runs it: where logits are not in the host's memory and the device has {@link Sample}, it draws the next
     * tokens too.
     */
    public static Graph backbone(ModelConfig c, LoadOptions o, Device device) {
        return backbone(c, o, draws(c, o, device));
    }

    private static boolean draws(ModelConfig c, LoadOptions o, Device device) {
        TensorType perRow = TensorType.of(DType.F32, Shape.of(V4Inputs.logits(o)));
        TensorType logits = TensorType.of(DType.F32, Shape.of(V4Inputs.logits(o), Dim.fixed(c.vocabSize())));
        OpInstance sample = OpInstance.of(new Sample(), List.of(logits, perRow, perRow, perRow));
        return !device.spi().isHostMemory() && device.spi().supports(sample).isSupported();
    }

    private static Graph backbone(ModelConfig c, LoadOptions o, boolean draws) {
        GraphBuilder g = Graph.builder("deepseek-v4");
        V4Inputs in = V4Inputs.declare(g, o);
        Value streams = g.node(new Expand(c.hcMult()), embed(g, c, o, in));
        for (int i = 0; i < c.numHiddenLayers(); i++) {
            streams = new V4Layer(g, c, o, in, i, "layers." + i).build(streams);
        }
        if (o.mtp()) {
            g.output(HIDDEN, streams);
        }
        Value norm = g.weight("norm.weight", TensorType.of(DType.BF16, c.hiddenSize()));
        Value logits = head(g, c, o, in, streams, "", norm);
        if (draws) {
            draw(g, o, logits);
        }
        return g.build();
    }

    private static void draw(GraphBuilder g, LoadOptions o, Value logits) {
        TensorType perRow = TensorType.of(DType.F32, Shape.of(V4Inputs.logits(o)));
        Value temperature = g.input(TEMPERATURE, perRow);
        Value topP = g.input(TOP_P, perRow);
        g.output(DRAWN, g.node(new Sample(), logits, temperature, topP, g.input(UNIFORM, perRow)));
    }

    /** The first MTP block: predicts the token after next from the backbone's streams and the next token (7.3). */
    public static Graph mtp(ModelConfig c, LoadOptions o) {
        return mtp(c, o, false);
    }

    /** The same as a device runs it, which draws as that of {@link #backbone(ModelConfig, LoadOptions, Device)} does. */
    public static Graph mtp(ModelConfig c, LoadOptions o, Device device) {
        return mtp(c, o, draws(c, o, device));
    }

    private static Graph mtp(ModelConfig c, LoadOptions o, boolean draws) {
        GraphBuilder g = Graph.builder("deepseek-v4-mtp");
        V4Inputs in = V4Inputs.declare(g, o);
        Shape streams = Shape.of(V4Inputs.tokens(o), Dim.fixed(c.hcMult()), Dim.fixed(c.hiddenSize()));
        Value hidden = g.input(HIDDEN, TensorType.of(o.mode().flow(), streams));
        V4Layer block = new V4Layer(g, c, o, in, c.numHiddenLayers(), "mtp.0");
        long d = c.hiddenSize();
        Value e = g.rmsNorm(embed(g, c, o, in), block.bf16("enorm.weight", d), c.rmsNormEps());
        Value h = g.rmsNorm(hidden, block.bf16("hnorm.weight", d), c.rmsNormEps());
        Value fromToken = block.linear(block.quantise(e), "e_proj.weight", d, d);
        Value fromStreams = block.linear(block.quantise(h), "h_proj.weight", d, d);
        Value mixed = g.node(new Add(), g.node(new Expand(c.hcMult()), fromToken), fromStreams);
        Value out = block.build(mixed);
        Value logits = head(g, c, o, in, out, "mtp.0.", block.bf16("norm.weight", d));
        if (draws) {
            draw(g, o, logits);
        }
        return g.build();
    }

    /** Input of a sublayer graph. */
    static final String SUBLAYER_IN = "x";

    /** Output of a sublayer graph. */
    static final String SUBLAYER_OUT = "y";

    /** One sublayer of one layer between its normalised input and its output, without the residual streams. */
    static Graph sublayer(ModelConfig c, LoadOptions o, int layer, boolean attention) {
        GraphBuilder g = Graph.builder("deepseek-v4-" + layer + (attention ? "-attn" : "-ffn"));
        V4Inputs in = V4Inputs.declare(g, o);
        Shape rows = Shape.of(V4Inputs.tokens(o), Dim.fixed(c.hiddenSize()));
        Value x = g.input(SUBLAYER_IN, TensorType.of(o.mode().flow(), rows));
        V4Layer owner = new V4Layer(g, c, o, in, layer, "layers." + layer);
        return g.output(SUBLAYER_OUT, attention ? new V4Attention(owner).build(x) : new V4Moe(owner).build(x))
                .build();
    }

    /** Extents of the named dimensions of these graphs in a step. @param logits rows whose logits are wanted */
    public static Map<String, Long> extents(int tokens, int sequences, int logits) {
        return Map.of(
                V4Inputs.TOKENS, (long) tokens,
                V4Inputs.SEQUENCES, (long) sequences,
                V4Inputs.LOGITS, (long) logits);
    }

    /**
     * Inputs of these graphs for a step of sequences that are equally long and have as many rows each: token 0 everywhere, the
     * first slots and pages, no logits.
     *
     * @param position tokens of each before the step
     * @param tokens rows of each
     */
    static Map<String, int[]> inputs(LoadOptions o, int sequences, int position, int tokens) {
        int rows = sequences * tokens;
        return Map.of(
                "ids",
                new int[rows],
                "positions",
                IntStream.range(0, rows).map(i -> position + i % tokens).toArray(),
                "starts",
                IntStream.rangeClosed(0, sequences).map(s -> s * tokens).toArray(),
                "slots",
                IntStream.range(0, sequences).toArray(),
                "pages",
                IntStream.range(0, sequences * o.pagesPerSequence()).toArray(),
                "logitRows",
                new int[0]);
    }

    /**
     * Inputs of these graphs for a step of a sequence that is alone: it has slot 0 and the first pages.
     *
     * @param position tokens before the step
     * @param ids tokens of the step
     * @param logits how many of the last rows' logits are wanted
     */
    public static Map<String, int[]> inputs(LoadOptions o, int position, int[] ids, int logits) {
        return Map.of(
                "ids",
                ids,
                "positions",
                IntStream.range(position, position + ids.length).toArray(),
                "starts",
                new int[] {0, ids.length},
                "slots",
                new int[] {0},
                "pages",
                IntStream.range(0, o.pagesPerSequence()).toArray(),
                "logitRows",
                IntStream.range(ids.length - logits, ids.length).toArray());
    }

    /** The weights of a published checkpoint under the names of these graphs. */
    public static WeightSource weights(Checkpoint checkpoint) {
        return new V4Weights(checkpoint);
    }

    /** Output with the experts that each row was sent to in a layer of a graph of layers. */
    static String experts(int layer) {
        return "experts." + layer;
    }

    /** Whole layers one after another: residual streams in, residual streams out. */
    static Graph layers(ModelConfig c, LoadOptions o, List<Integer> layers) {
        GraphBuilder g = Graph.builder(
                "deepseek-v4-layer-" + layers.stream().map(String::valueOf).collect(Collectors.joining("-")));
        V4Inputs in = V4Inputs.declare(g, o);
        Shape streams = Shape.of(V4Inputs.tokens(o), Dim.fixed(c.hcMult()), Dim.fixed(c.hiddenSize()));
        Value x = g.input(HIDDEN, TensorType.of(o.mode().flow(), streams));
        g.output(HIDDEN, x); // kept, so that layers are run again without copying it, as they run behind others
        for (int layer : layers) {
            V4Layer owner = new V4Layer(g, c, o, in, layer, "layers." + layer);
            x = owner.build(x);
            g.output(experts(layer), owner.experts());
        }
        return g.output(SUBLAYER_OUT, x).build();
    }

    private static Value embed(GraphBuilder g, ModelConfig c, LoadOptions o, V4Inputs in) {
        Value table = g.weight("embed.weight", TensorType.of(DType.BF16, c.vocabSize(), c.hiddenSize()));
        return g.node(new Gather(o.mode().flow()), table, in.ids());
    }

    private static Value head(
            GraphBuilder g, ModelConfig c, LoadOptions o, V4Inputs in, Value streams, String prefix, Value norm) {
        int h = c.hcMult();
        Value rows = g.node(new Gather(o.mode().flow()), streams, in.logitRows());
        Value x = g.node(
                new HyperHead(h, c.rmsNormEps(), c.hcEps()),
                rows,
                g.weight(prefix + "hc_head_fn", TensorType.of(DType.F32, h, (long) h * c.hiddenSize())),
                g.weight(prefix + "hc_head_scale", TensorType.of(DType.F32, 1)),
                g.weight(prefix + "hc_head_base", TensorType.of(DType.F32, h)));
        Value normed = g.rmsNorm(x, norm, c.rmsNormEps());
        if (o.trace()) {
            g.output("at_pos.final_norm", normed);
        }
        Value table = g.weight("head.weight", TensorType.of(DType.BF16, c.vocabSize(), c.hiddenSize()));
        Value logits = g.gemm(normed, table, DType.F32);
        g.output(LOGITS, logits);
        return logits;
    }
}
