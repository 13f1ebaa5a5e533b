package example;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.UnsupportedOpException;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;

/** A graph of one's own, and which kernel runs each of its nodes on every device; or why a device cannot. */
public final class Placement {
    private Placement() {}

    public static void main(String[] args) {
        Graph mlp = mlp();
        try (Weft weft = Weft.open()) {
            for (Device device : weft.devices()) {
                try {
                    System.out.print(device.compile(mlp).placement().table());
                } catch (UnsupportedOpException e) {
                    System.out.println(e.getMessage());
                }
            }
        }
    }

    private static Graph mlp() {
        GraphBuilder g = Graph.builder("mlp");
        Shape rows = Shape.of(Dim.named("tokens", 1, 512), Dim.fixed(4096));
        TensorType weight = new TensorType(DType.F4_E2M1, Shape.of(2048, 4096), Scaling.MXFP4);
        Value x = g.input("x", TensorType.of(DType.BF16, rows));
        Value gate = g.weight("gate", weight);
        Value up = g.weight("up", weight);
        return g.output("y", g.swiGlu(g.gemm(x, gate), g.gemm(x, up))).build();
    }
}
