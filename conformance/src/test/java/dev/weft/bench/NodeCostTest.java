package dev.weft.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.model.LayerStack;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.ExpertGemm;
import dev.weft.op.LightningIndex;
import dev.weft.op.Op;
import dev.weft.op.SparseAttention;
import dev.weft.spi.HardwareLimit;
import org.junit.jupiter.api.Test;

/** Costs of DeepSeek-V4-Flash nodes against numbers worked out by hand from its widths. */
class NodeCostTest {
    private static final ModelConfig FLASH = ModelConfig.flash();
    private static final double HALF_BYTE = 0.5 + 1 / 32.0;

    @Test
    void attentionSeesTheKeysOfItsPositions() {
        // 128 of the window and the 512 picked of 1024 entries; 64 heads of 512 lanes, scores and values
        NodeCost decode = cost(LayerKind.CSA, 4095, 1, 6, SparseAttention.class);
        assertThat(decode.flops()).isCloseTo(4.0 * 64 * 512 * 640, within(1.0));
        assertThat(decode.stateBytes()).isEqualTo((127 + 512) * 512 * 2.0);
        assertThat(decode.unit()).isEqualTo(HardwareLimit.BF16_DOT);
        // all 8192 entries of a million tokens
        NodeCost heavy = cost(LayerKind.HCA, 1048575, 1, 6, SparseAttention.class);
        assertThat(heavy.flops()).isCloseTo(4.0 * 64 * 512 * 8320, within(10.0));
        // rows 0, 1, 2 see 1, 2, 3 keys
        NodeCost start = cost(LayerKind.WINDOW, 0, 3, 6, SparseAttention.class);
        assertThat(start.flops()).isCloseTo(4.0 * 64 * 512 * 6, within(1.0));
        assertThat(start.stateBytes()).isZero();
    }

    @Test
    void theIndexScoresNothingWhileAllEntriesArePicked() {
        assertThat(cost(LayerKind.CSA, 2047, 1, 6, LightningIndex.class).flops())
                .isZero();
        NodeCost beyond = cost(LayerKind.CSA, 4095, 1, 6, LightningIndex.class);
        assertThat(beyond.flops()).isCloseTo(2.0 * 64 * 128 * 1024, within(1.0));
        assertThat(beyond.stateBytes()).isEqualTo(1024 * 128 * 2.0);
    }

    @Test
    void onlyExpertsThatAreHitAreRead() {
        NodeCost gate = cost(LayerKind.WINDOW, 4096, 2, 11, ExpertGemm.class);
        assertThat(gate.weightBytes()).isCloseTo(11 * 4096.0 * 2048 * HALF_BYTE, within(1.0));
        assertThat(gate.flops()).isEqualTo(2 * 6 * 2.0 * 4096 * 2048);
    }

    @Test
    void aLayerTouchesItsWeightsOnce() {
        Graph graph = LayerBench.graph(FLASH, LayerStack.of(LayerKind.WINDOW, 1, 4097));
        Work work = GraphCost.of(graph, span(4096, 1, 6));
        double experts = 6 * 3 * 4096.0 * 2048 * HALF_BYTE;
        double projections = (4096 * 1024 + 1024 * 32768 + 4096 * 512 + 32768 * 1024 + 8192 * 4096 + 3 * 4096 * 2048)
                * (1 + 1 / 16384.0);
        double wide = 4096 * 256 * 2 + 2 * 24 * 16384 * 4.0;
        double states = 127 * 512 * 2 + 512 * 2;
        double vectors = 3 * 4096 * 4;
        assertThat(work.bytes()).isCloseTo(experts + projections + wide + states, within(vectors));
    }

    @Test
    void chanceHitsFewerExpertsThanItDraws() {
        assertThat(Span.expectedExperts(256, 6, 1)).isCloseTo(6, within(1e-9));
        assertThat(Span.expectedExperts(256, 6, 2)).isCloseTo(12 - 36 / 256.0, within(1e-9));
        assertThat(Span.expectedExperts(8, 8, 3)).isEqualTo(8);
    }

    private static NodeCost cost(LayerKind kind, int position, int tokens, double experts, Class<? extends Op> op) {
        Node node = LayerBench.graph(FLASH, LayerStack.of(kind, tokens, position + tokens)).nodes().stream()
                .filter(n -> op.isInstance(n.op()))
                .findFirst()
                .orElseThrow();
        return NodeCost.of(node, span(position, tokens, experts));
    }

    private static Span span(int position, int tokens, double experts) {
        return new Span(1, position, tokens, experts, V4Graphs.extents(tokens, 1, 0));
    }
}
