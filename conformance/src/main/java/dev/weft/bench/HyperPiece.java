package dev.weft.bench;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.HardwareLimit;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** From sublayer to sublayer: exit of a hyper-connection, entry of the next and norm, one copy behind the other. */
final class HyperPiece implements Piece {
    /** Arithmetic of a value of the streams in the exit: one product with each coefficient. */
    private static final int EXIT = 2;

    private final ModelConfig model;
    private final int rows;
    private final int copies;

    HyperPiece(ModelConfig model, int rows) {
        this.model = model;
        this.rows = rows;
        this.copies = Piece.copies(mix().maxDataBytes(), 1);
    }

    private long coefficients() {
        return (2L + model.hcMult()) * model.hcMult();
    }

    private TensorType mix() {
        return TensorType.of(DType.F32, coefficients(), (long) model.hcMult() * model.hiddenSize());
    }

    private TensorType streams() {
        return TensorType.of(DType.BF16, rows, model.hcMult(), model.hiddenSize());
    }

    @Override
    public int copies() {
        return copies;
    }

    /** Weights of the entry once; streams stay in a cache. */
    @Override
    public Work work() {
        double each = 2.0 * coefficients() + EXIT * (model.hcMult() + 1.0) + 4;
        return new Work(mix().maxDataBytes(), each * streams().maxElements(), HardwareLimit.F32_FMA);
    }

    /** The norm of an entry stands for what a sublayer makes of it. */
    @Override
    public Graph graph() {
        GraphBuilder g = Graph.builder("hyper");
        HyperPre entry = new HyperPre(model.hcMult(), model.hcSinkhornIters(), model.rmsNormEps(), model.hcEps());
        Value streams = g.input("streams", streams());
        Value y = g.input("y", TensorType.of(DType.BF16, rows, model.hiddenSize()));
        Value post = g.input("post", TensorType.of(DType.F32, rows, model.hcMult()));
        Value comb = g.input("comb", TensorType.of(DType.F32, rows, model.hcMult(), model.hcMult()));
        for (int c = 0; c < copies; c++) {
            streams = g.node(new HyperPost(), y, streams, post, comb);
            List<Value> pre = g.nodes(
                    entry,
                    streams,
                    g.weight("fn" + c, mix()),
                    g.weight("scale" + c, TensorType.of(DType.F32, 3)),
                    g.weight("base" + c, TensorType.of(DType.F32, coefficients())));
            y = g.rmsNorm(pre.get(0), g.weight("norm" + c, TensorType.of(DType.BF16, model.hiddenSize())), model.rmsNormEps());
            post = pre.get(1);
            comb = pre.get(2);
        }
        return g.output("y", y).build();
    }

    private float[] evenly(int count) {
        float[] all = new float[count];
        Arrays.fill(all, 1f / model.hcMult());
        return all;
    }

    @Override
    public void fill(Execution execution, StateStore states, QuickWeights values, SplittableRandom random) {
        execution.set("streams", values.values(streams(), streams().maxDataBytes()));
        TensorType y = TensorType.of(DType.BF16, rows, model.hiddenSize());
        execution.set("y", values.values(y, y.maxDataBytes()));
        execution.set("post", evenly(rows * model.hcMult()));
        execution.set("comb", evenly(rows * model.hcMult() * model.hcMult()));
    }
}
