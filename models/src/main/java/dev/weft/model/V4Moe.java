package dev.weft.model;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.ExpertGemm;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.SwiGlu;
import java.util.List;

/** Mixture of experts of one layer: gate by score or by token id, routed experts, shared expert (specification 6). */
final class V4Moe {
    private final V4Layer layer;
    private final GraphBuilder g;
    private final ModelConfig c;

    V4Moe(V4Layer layer) {
        this.layer = layer;
        this.g = layer.g;
        this.c = layer.config;
    }

    Value build(Value x) {
        List<Value> routed = gate(x);
        layer.experts(routed.get(0));
        layer.trace(layer.prefix + ".router.indices", routed.get(0));
        layer.trace(layer.prefix + ".router.weights", routed.get(1));
        Value quantised = layer.quantise(x);
        List<Value> d = g.nodes(new MoeDispatch(c.nRoutedExperts()), quantised, routed.get(0), routed.get(1));
        Value y = experts(d.get(0), d.get(1), d.get(3));
        return g.node(new MoeCombine(), y, d.get(2), shared(quantised));
    }

    private List<Value> gate(Value x) {
        Value logits = g.gemm(x, layer.bf16("ffn.gate.weight", c.nRoutedExperts(), c.hiddenSize()), DType.F32);
        boolean hashed = c.isHashRouted(layer.index);
        MoeGate gate = new MoeGate(c.numExpertsPerTok(), c.score(), hashed, c.routedScalingFactor());
        return hashed
                ? g.nodes(gate, logits, layer.in.ids(), table())
                : g.nodes(gate, logits, layer.f32("ffn.gate.bias", c.nRoutedExperts()));
    }

    private Value table() {
        return layer.weight("ffn.gate.tid2eid", TensorType.of(DType.I32, c.vocabSize(), c.numExpertsPerTok()));
    }

    private Value experts(Value rows, Value rowWeights, Value offsets) {
        long inner = c.moeIntermediateSize();
        long d = c.hiddenSize();
        Value gate = g.node(new ExpertGemm(layer.flow()), rows, expertWeight("w1", inner, d), offsets);
        Value up = g.node(new ExpertGemm(layer.flow()), rows, expertWeight("w3", inner, d), offsets);
        Value t = g.node(new SwiGlu(c.swigluLimit(), true), gate, up, rowWeights);
        return g.node(new ExpertGemm(layer.flow()), layer.quantise(t), expertWeight("w2", d, inner), offsets);
    }

    private Value expertWeight(String name, long out, long in) {
        Shape shape = Shape.of(c.nRoutedExperts(), out, in);
        TensorType type = c.fp4Experts()
                ? new TensorType(DType.F4_E2M1, shape, Scaling.MXFP4)
                : new TensorType(DType.F8_E4M3, shape, Scaling.FP8_BLOCK_128);
        return layer.weight("ffn.experts." + name + ".weight", type);
    }

    private Value shared(Value quantised) {
        long inner = (long) c.moeIntermediateSize() * c.nSharedExperts();
        Value gate = layer.linear(quantised, "ffn.shared_experts.w1.weight", inner, c.hiddenSize());
        Value up = layer.linear(quantised, "ffn.shared_experts.w3.weight", inner, c.hiddenSize());
        Value t = g.node(new SwiGlu(c.swigluLimit(), false), gate, up);
        return layer.linear(layer.quantise(t), "ffn.shared_experts.w2.weight", c.hiddenSize(), inner);
    }
}
