package dev.weft.model;

import static java.util.Objects.requireNonNull;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.Quantize;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One decoder block: two sublayers, each between the entry and the exit of a hyper-connection (specification 4.3). Also
 * the vocabulary its two sublayers share: weights by checkpoint name, quantisation by numeric mode.
 */
final class V4Layer {
    final GraphBuilder g;
    final ModelConfig config;
    final LoadOptions options;
    final V4Inputs in;
    /** Index in {@code compress_ratios}: backbone layers first, then MTP blocks. */
    final int index;
    /** Prefix of weight and state names: {@code layers.3} or {@code mtp.0}. */
    final String prefix;

    private @Nullable Value experts;

    V4Layer(GraphBuilder g, ModelConfig config, LoadOptions options, V4Inputs in, int index, String prefix) {
        this.g = g;
        this.config = config;
        this.options = options;
        this.in = in;
        this.index = index;
        this.prefix = prefix;
    }

    /** The residual streams after the block. */
    Value build(Value streams) {
        Value afterAttention = sublayer(streams, "attn", x -> new V4Attention(this).build(x));
        Value after = sublayer(afterAttention, "ffn", x -> new V4Moe(this).build(x));
        trace("at_pos." + prefix + ".out", after);
        return after;
    }

    /** The experts chosen for every row, once the block is built. */
    Value experts() {
        return requireNonNull(experts);
    }

    void experts(Value chosen) {
        experts = chosen;
    }

    private Value sublayer(Value streams, String name, UnaryOperator<Value> body) {
        return g.scope(prefix + "." + name, () -> {
            int h = config.hcMult();
            long rows = (2L + h) * h;
            List<Value> pre = g.nodes(
                    new HyperPre(h, config.hcSinkhornIters(), config.rmsNormEps(), config.hcEps()),
                    streams,
                    f32("hc_" + name + "_fn", rows, (long) h * config.hiddenSize()),
                    f32("hc_" + name + "_scale", 3),
                    f32("hc_" + name + "_base", rows));
            Value x = g.rmsNorm(pre.get(0), bf16(name + "_norm.weight", config.hiddenSize()), config.rmsNormEps());
            Value y = body.apply(x);
            trace("at_pos." + prefix + "." + name + "_in", x);
            trace("at_pos." + prefix + "." + name + "_out", y);
            return g.node(new HyperPost(), y, streams, pre.get(1), pre.get(2));
        });
    }

    void trace(String name, Value value) {
        if (options.trace()) {
            g.output(name, value);
        }
    }

    DType flow() {
        return options.mode().flow();
    }

    boolean quantised() {
        return options.mode().quantised();
    }

    /** The input of quantised linears: codes and scales, or x itself in exact-semantics mode. */
    Value quantise(Value x) {
        return quantised() ? g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x) : x;
    }

    /** Linear layer with an FP8 weight; {@code x} as {@link #quantise} returned it. */
    Value linear(Value x, String name, long out, long in) {
        return g.gemm(x, fp8(name, out, in), flow());
    }

    Value fp8(String name, long... dims) {
        return weight(name, new TensorType(DType.F8_E4M3, Shape.of(dims), Scaling.FP8_BLOCK_128));
    }

    Value bf16(String name, long... dims) {
        return weight(name, TensorType.of(DType.BF16, dims));
    }

    Value f32(String name, long... dims) {
        return weight(name, TensorType.of(DType.F32, dims));
    }

    Value weight(String name, TensorType type) {
        return g.weight(prefix + "." + name, type);
    }

    Value state(String name, DType dtype, long... dims) {
        return g.state(prefix + "." + name, TensorType.of(dtype, dims));
    }
}
