package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.model.LaunchCount;
import dev.weft.model.LoadOptions;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.Placement;
import dev.weft.runtime.Weft;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The graphs of the true models on an emulated H200-class device: which kernels run them, with what memory and launches. */
class V4CompileTest {
    /** Operators that have one kernel only: they move few bytes. */
    private static final Set<String> SIMPLE_ALONE = Set.of("ringWrite/simple");

    /**
     * Launches of a layer of each kind in a step of so many tokens, in a short context and in the longest. In a short one Pro picks
     * all entries, in a long one lists of few tokens are split among blocks. Pro's output product is too deep for blocks that
     * quantise more than two tokens themselves.
     */
    private static final Map<String, Map<Integer, Launches>> STEPS = Map.of(
            "flash",
                    Map.of(
                            1, new Launches(14, 17, 14, 14, 17, 15),
                            6, new Launches(14, 17, 14, 14, 17, 15),
                            7, new Launches(14, 16, 14, 14, 16, 15),
                            8, new Launches(15, 17, 15, 15, 17, 15),
                            9, new Launches(15, 17, 15, 15, 17, 15),
                            17, new Launches(15, 17, 15, 15, 17, 15),
                            128, new Launches(15, 17, 15, 15, 17, 15)),
            "pro",
                    Map.of(
                            1, new Launches(14, 16, 14, 14, 17, 15),
                            2, new Launches(14, 16, 14, 14, 17, 15),
                            3, new Launches(15, 17, 15, 15, 18, 16),
                            6, new Launches(15, 17, 15, 15, 18, 16),
                            7, new Launches(15, 17, 15, 15, 18, 16),
                            8, new Launches(16, 17, 16, 16, 18, 16),
                            9, new Launches(16, 17, 16, 16, 18, 16),
                            17, new Launches(15, 17, 15, 15, 18, 15),
                            128, new Launches(15, 16, 15, 15, 17, 15)));

    /** Of layers with a window, with selection and with heavy compression, then of the same in the longest context. */
    private record Launches(int window, int csa, int hca, int longWindow, int longCsa, int longHca) {
        int of(LayerKind kind, boolean isLong) {
            return switch (kind) {
                case WINDOW -> isLong ? longWindow : window;
                case CSA -> isLong ? longCsa : csa;
                case HCA -> isLong ? longHca : hca;
            };
        }
    }

    /** Embedding, the last layer's exit, the head, and the draw of the next tokens. */
    private static final int OUTSIDE = 8;

    private static final int LONG_CONTEXT = 1 << 20;

    /** Launches of a whole decode step of one token, in a short context and in the longest. */
    private static final Map<String, List<Integer>> WHOLE =
            Map.of("flash", List.of(673, 693), "pro", List.of(922, 983));

    /** Most launches of a layer for a chunk of a prompt, whose tokens are quantised in launches of their own. */
    private static final Map<LayerKind, Integer> PREFILL =
            Map.of(LayerKind.WINDOW, 22, LayerKind.CSA, 24, LayerKind.HCA, 22);

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
            CompiledGraph longer = compile(weft, config, CHUNK, LONG_CONTEXT);
            STEPS.get(name).forEach((tokens, launches) -> {
                requireLaunches(config, prefill, tokens, kind -> launches.of(kind, false));
                requireLaunches(config, longer, tokens, kind -> launches.of(kind, true));
            });
            requirePrefill(config, prefill);
            assertThat(List.of(
                            count(config, decode, 1).total(),
                            count(config, compile(weft, config, 1, LONG_CONTEXT), 1)
                                    .total()))
                    .isEqualTo(WHOLE.get(name));
        }
    }

    private static CompiledGraph compile(Weft weft, ModelConfig config, int tokens) {
        return compile(weft, config, tokens, LoadOptions.defaults().maxContext());
    }

    private static CompiledGraph compile(Weft weft, ModelConfig config, int tokens, int context) {
        LoadOptions options = LoadOptions.defaults().maxTokens(tokens).maxContext(context);
        Device device = weft.device("cuda:0");
        return device.compile(V4Graphs.backbone(config, options, device));
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

    private static LaunchCount count(ModelConfig config, CompiledGraph compiled, int tokens) {
        return LaunchCount.of(compiled, config.numHiddenLayers(), V4Graphs.extents(tokens, 1, 1))
                .orElseThrow();
    }

    private static void requireLaunches(
            ModelConfig config, CompiledGraph compiled, int tokens, ToIntFunction<LayerKind> limits) {
        LaunchCount count = count(config, compiled, tokens);
        int layers = config.numHiddenLayers();
        List<Integer> expected = IntStream.range(0, layers)
                .map(i -> limits.applyAsInt(config.kind(i)))
                .boxed()
                .toList();
        assertThat(count.layers()).as(tokens + " tokens").isEqualTo(expected);
        assertThat(count.outside()).isEqualTo(OUTSIDE);
    }

    private static void requirePrefill(ModelConfig config, CompiledGraph compiled) {
        LaunchCount count = count(config, compiled, CHUNK);
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            assertThat(count.layers().get(i)).as("layer " + i).isBetween(1, PREFILL.get(config.kind(i)));
        }
    }
}
