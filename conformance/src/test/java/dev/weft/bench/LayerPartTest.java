package dev.weft.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.model.LayerStack;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Every node of a layer of two ranks belongs to the part that a reader would look for it in. */
class LayerPartTest {
    @Test
    void nodesBelongToTheirParts() {
        ModelConfig config = ModelConfig.flash();
        Graph alone = LayerBench.graph(config, LayerStack.of(LayerKind.CSA, 1, 1));
        Graph graph = ParallelPlan.experts(2).share(alone, config, 1).graph();
        List<LayerPart> parts = LayerPart.of(graph);
        Map<LayerPart, List<String>> ops = new EnumMap<>(LayerPart.class);
        for (Node node : graph.nodes()) {
            ops.computeIfAbsent(parts.get(node.index()), p -> new ArrayList<>())
                    .add(node.op().name());
        }
        assertThat(ops.get(LayerPart.ATTENTION)).contains("lightningIndex", "sparseAttention", "groupedGemm");
        assertThat(ops.get(LayerPart.GATE)).containsExactly("gemm", "moeGate");
        assertThat(ops.get(LayerPart.DISPATCH)).containsExactly("moeDispatch", "moeSend");
        assertThat(ops.get(LayerPart.EXPERTS))
                .containsExactly("expertGemm", "expertGemm", "swiGlu", "quantize", "expertGemm");
        assertThat(ops.get(LayerPart.SHARED)).containsExactly("gemm", "gemm", "swiGlu", "quantize", "gemm");
        assertThat(ops.get(LayerPart.COMBINE)).containsExactly("moeReturn", "moeCombine");
        assertThat(ops.get(LayerPart.REST))
                .containsExactly("hyperPre", "hyperPost", "hyperPre", "rmsNorm", "quantize", "hyperPost");
    }
}
