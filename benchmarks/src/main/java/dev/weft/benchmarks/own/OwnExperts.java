package dev.weft.benchmarks.own;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.benchmarks.work.ExpertWork;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.ExpertGemm;
import dev.weft.op.MoeDispatch;
import dev.weft.op.Quantize;
import dev.weft.runtime.Device;
import java.util.Arrays;
import java.util.List;

/** Per copy: rows are sorted to experts and multiplied. Activations are quantised once per token. */
final class OwnExperts extends GraphContender {
    private final ExpertWork work;

    OwnExperts(Device device, ExpertWork work) {
        super(device, graph(work), (name, type) -> work.weights().as(name, type));
        this.work = work;
        float[] ones = new float[work.m() * work.top()];
        Arrays.fill(ones, 1);
        execution.set("x", bf16(work.x())).set("weights", ones);
        for (int c = 0; c < work.copies(); c++) {
            execution.set("experts" + c, work.choices(c));
        }
    }

    private static Graph graph(ExpertWork work) {
        GraphBuilder g = Graph.builder(work.name());
        Value x = g.input("x", TensorType.of(DType.BF16, work.m(), work.k()));
        Value weights = g.input("weights", TensorType.of(DType.F32, work.m(), work.top()));
        Value codes = g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x);
        Value w = g.weight("w", work.weights().format().weight(work.experts(), work.n(), work.k()));
        for (int c = 0; c < work.copies(); c++) {
            Value experts = g.input("experts" + c, TensorType.of(DType.I32, work.m(), work.top()));
            List<Value> sorted = g.nodes(new MoeDispatch(work.experts()), codes, experts, weights);
            g.output("source" + c, sorted.get(2));
            g.output("y" + c, g.node(new ExpertGemm(DType.BF16), sorted.get(0), w, sorted.get(3)));
        }
        return g.build();
    }

    /** Rows in the order of the choices. */
    @Override
    public float[] output(int copy) {
        float[] sorted = execution.floats("y" + copy);
        int[] source = execution.ints("source" + copy);
        float[] out = new float[sorted.length];
        for (int p = 0; p < source.length; p++) {
            System.arraycopy(sorted, p * work.n(), out, source[p] * work.n(), work.n());
        }
        return out;
    }
}
