package dev.weft.benchmarks.own;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.benchmarks.work.Format;
import dev.weft.benchmarks.work.GemmWork;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Quantize;
import dev.weft.runtime.Device;

/** One {@code Gemm} node per copy; quantised activations are quantised once, as where several layers share an input. */
final class OwnGemm extends GraphContender {
    OwnGemm(Device device, GemmWork work) {
        super(
                device,
                graph(work),
                (name, type) -> work.weights().get(Integer.parseInt(name)).as(name, type));
        if (work.format() == Format.F32) {
            execution.set("x", work.x());
        } else {
            execution.set("x", bf16(work.x()));
        }
    }

    private static Graph graph(GemmWork work) {
        DType flow = work.format() == Format.F32 ? DType.F32 : DType.BF16;
        GraphBuilder g = Graph.builder(work.name());
        Value x = g.input("x", TensorType.of(flow, work.m(), work.k()));
        Value operand = work.format().quantised() ? g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x) : x;
        for (int c = 0; c < work.copies(); c++) {
            Value w = g.weight(Integer.toString(c), work.format().weight(work.n(), work.k()));
            g.output("y" + c, g.gemm(operand, w, flow));
        }
        return g.build();
    }

    @Override
    public float[] output(int copy) {
        return execution.floats("y" + copy);
    }
}
