package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.model.LaunchCount;
import dev.weft.model.LoadOptions;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Placement;
import dev.weft.runtime.Weft;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The graphs of the true models on an emulated H200-class device: which kernels run them, with what memory and launches. */
class V4CompileTest {
    /** Operators that have one kernel only: they move few bytes. */
    private static final Set<String> SIMPLE_ALONE = Set.of("ringWrite/simple");

    /**
     * Launches that a decode step takes at most in a layer of each kind. The output product of Pro is too deep for blocks that
     * quantise its tokens themselves; in a short context it picks all entries.
     */
    private static final Map<String, Map<LayerKind, Integer>> DECODE = Map.of(
            "flash", Map.of(LayerKind.WINDOW, 16, LayerKind.CSA, 18, LayerKind.HCA, 16),
            "pro", Map.of(LayerKind.CSA, 18, LayerKind.HCA, 17));

    /** As {@link #DECODE}, where a sequence may have so many entries that several blocks pick among them. */
    private static final Map<String, Map<LayerKind, Integer>> LONG = Map.of(
            "flash", Map.of(LayerKind.WINDOW, 16, LayerKind.CSA, 19, LayerKind.HCA, 16),
            "pro", Map.of(LayerKind.CSA, 20, LayerKind.HCA, 17));

    private static final int LONG_CONTEXT = 1 << 20;

    /** As {@link #DECODE}, of many sequences at once, whatever the model. */
    private static final Map<LayerKind, Integer> BATCHED =
            Map.of(LayerKind.WINDOW, 17, LayerKind.CSA, 19, LayerKind.HCA, 17);

    /** As {@link #DECODE}, for a chunk of a prompt, whose tokens are quantised in launches of their own. */
    private static final Map<LayerKind, Integer> PREFILL =
            Map.of(LayerKind.WINDOW, 25, LayerKind.CSA, 27, LayerKind.HCA, 25);

    private static final int CHUNK = 256;

    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
    }

    @AfterEach
    void end() {
        emulator.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"flash", "pro"})
    void everyNodeRunsOnTheDeviceByItsFastKernel(String name) {
        ModelConfig config = name.equals("flash") ? ModelConfig.flash() : ModelConfig.pro();
        try (Weft weft = Weft.of(Emulator.backends())) {
            CompiledGraph decode = compile(weft, config, 1);
            CompiledGraph prefill = compile(weft, config, CHUNK);
            requireFast(decode.placement());
            requireFast(prefill.placement());
            requireMemory(decode.placement(), prefill.placement());
            requireLaunches(config, decode, 1, DECODE.get(name));
            requireLaunches(config, prefill, 1, DECODE.get(name));
            requireLaunches(config, compile(weft, config, 1, LONG_CONTEXT), 1, LONG.get(name));
            requireLaunches(config, prefill, 32, BATCHED);
            requireLaunches(config, prefill, 128, BATCHED);
            requireLaunches(config, prefill, CHUNK, PREFILL);
        }
    }

    private static CompiledGraph compile(Weft weft, ModelConfig config, int tokens) {
        return compile(weft, config, tokens, LoadOptions.defaults().maxContext());
    }

    private static CompiledGraph compile(Weft weft, ModelConfig config, int tokens, int context) {
        LoadOptions options = LoadOptions.defaults().maxTokens(tokens).maxContext(context);
        return weft.device("cuda:0").compile(V4Graphs.backbone(config, options));
    }

    private static void requireFast(Placement placement) {
        assertThat(placement.hostNodes()).isZero();
        assertThat(placement.rows())
                .allSatisfy(row -> assertThat(row.note()).as(row.node()).isEmpty());
        assertThat(placement.rows().stream()
                        .map(Placement.Row::kernel)
                        .filter(kernel -> kernel.endsWith("/simple"))
                        .distinct())
                .isSubsetOf(SIMPLE_ALONE);
    }

    /** Weights and states do not depend on the step, values grow with its tokens and stay small beside weights. */
    private static void requireMemory(Placement decode, Placement prefill) {
        assertThat(prefill.weightBytes()).isEqualTo(decode.weightBytes());
        assertThat(decode.valueBytes()).isBetween(1L, prefill.valueBytes() / 16);
        assertThat(decode.workspaceBytes()).isLessThanOrEqualTo(prefill.workspaceBytes());
        assertThat(prefill.valueBytes() + prefill.workspaceBytes()).isLessThan(decode.weightBytes() / 100);
        assertThat(decode.stateBytes()).isBetween(1L, decode.weightBytes() / 100);
    }

    private static void requireLaunches(
            ModelConfig config, CompiledGraph compiled, int tokens, Map<LayerKind, Integer> limits) {
        LaunchCount count = LaunchCount.of(compiled, config.numHiddenLayers(), V4Graphs.extents(tokens, 1, 1))
                .orElseThrow();
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            // the last one's exit goes into no next layer; with many tokens the sum before it is another launch
            int behind = tokens < CHUNK ? 1 : 2;
            int most = limits.get(config.kind(i)) + (i + 1 == config.numHiddenLayers() ? behind : 0);
            assertThat(count.layers().get(i)).as("layer " + i).isBetween(1, most);
        }
        assertThat(count.outside()).isBetween(1, 7);
    }
}
