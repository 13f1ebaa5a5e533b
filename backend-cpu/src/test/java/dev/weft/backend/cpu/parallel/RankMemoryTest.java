package dev.weft.backend.cpu.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.conformance.model.GoldenModel;
import dev.weft.graph.Graph;
import dev.weft.graph.Value;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.LoadOptions;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.plan.Architecture;
import dev.weft.plan.CostModel;
import dev.weft.plan.Deployment;
import dev.weft.plan.Hardware;
import dev.weft.plan.HardwareCatalog;
import dev.weft.plan.Layout;
import dev.weft.plan.RankMemory;
import dev.weft.plan.Workload;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Placement;
import dev.weft.runtime.RankGroups;
import dev.weft.runtime.Weft;
import dev.weft.spi.support.LocalGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a plan says that a rank holds is what a rank that has loaded the model holds. */
@Timeout(120)
class RankMemoryTest {
    private static final int CONTEXT = 1000;
    private static final int SEQUENCES = 3;

    /** Devices align states to it. */
    private static final long ALIGNMENT = 256;

    private static final Hardware KIND = HardwareCatalog.builtIn().find("950dt");

    @TempDir
    private static Path checkpoint;

    private static ModelConfig config;

    /** What a rank holds. @param states number of its states */
    private record Held(Placement placement, long packedWeights, int states) {}

    @BeforeAll
    static void write() {
        config = ModelConfig.read(GoldenModel.micro().directory().resolve("config.json"))
                .with(Map.of(
                        "hidden_size", 512,
                        "num_attention_heads", 4,
                        "o_groups", 4,
                        "n_routed_experts", 8,
                        "num_experts_per_tok", 3));
        SyntheticCheckpoint.of(config, 7).write(checkpoint);
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "2, 1, 1", "4, 4, 1", "2, 2, 2", "4, 1, 4", "4, 2, 2"})
    void aLoadedRankHoldsWhatThePlanSays(int ranks, int head, int output) throws Exception {
        ParallelPlan plan = new ParallelPlan(ranks, head, output, false, null, 0, 0);
        RankMemory memory = new RankMemory(config);
        long weights = memory.weightBytes(plan, false);
        long states = SEQUENCES * memory.sequenceBytes(CONTEXT, false);
        assertThat(loaded(plan)).hasSize(ranks).allSatisfy(held -> {
            assertThat(held.placement().weightBytes()).isEqualTo(weights);
            assertThat(held.placement().stateBytes()).isBetween(states, states + ALIGNMENT * held.states());
            // kernels' layouts round rows up to whole vectors, which counts at such widths
            assertThat((double) held.packedWeights() / weights).isBetween(1.0, 1.2);
        });
    }

    private static List<Held> loaded(ParallelPlan plan) throws Exception {
        LoadOptions options =
                LoadOptions.defaults().maxContext(CONTEXT).maxTokens(8).maxSequences(SEQUENCES);
        Ranks ranks = new Ranks(checkpoint, options, "cpu:0");
        Ranks.Work<Held> held = (rank, model) -> new Held(
                model.placement(),
                model.memory().weights(),
                model.graph().values(Value.Kind.STATE).size());
        if (plan.ranks() == 1) {
            return List.of(ranks.alone(held));
        }
        return ranks.run(plan, held).stream().map(Future::resultNow).toList();
    }

    /** The published sizes, as a device would be asked for them; and the formats of the checkpoint need almost as much. */
    @ParameterizedTest
    @CsvSource({"flash, 8, 1", "flash, 16, 8", "pro, 8, 8", "pro, 16, 1"})
    void truePlansHoldWhatADeviceIsAskedFor(String name, int ranks, int output) throws Exception {
        Architecture model = name.equals("pro") ? Architecture.pro() : Architecture.flash();
        ModelConfig published = name.equals("pro") ? ModelConfig.pro() : ModelConfig.flash();
        ParallelPlan plan = new ParallelPlan(ranks, ranks, output, false, null, 0, 0);
        LoadOptions options = LoadOptions.defaults().maxContext(8192); // chunks of 256 tokens
        long weights = new RankMemory(published).weightBytes(plan, false);
        try (Weft weft = Weft.open();
                RankGroups groups = groups(plan)) {
            Graph share = plan.share(V4Graphs.backbone(published, options), published, 0)
                    .graph();
            CompiledGraph compiled = weft.device("cpu:0").compile(share, CompileOptions.DEFAULT.withGroups(groups));
            Placement placement = compiled.placement();
            assertThat(placement.weightBytes()).isEqualTo(weights);
            // what a plan leaves free is enough for what it does not count
            double free = KIND.memoryBytes() - KIND.usableBytes();
            assertThat((double) placement.valueBytes() + placement.workspaceBytes())
                    .isLessThan(free);
        }
        double stored = layout(model, ranks, output).sharedBytes()
                + layout(model, ranks, output).dealtBytes();
        double withMtp = new RankMemory(published).weightBytes(plan, true);
        assertThat(withMtp / stored).isCloseTo(1, within(0.002));
    }

    /** Rank 0's of a world of threads. */
    private static RankGroups groups(ParallelPlan plan) throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            return LocalGroup.of(plan.ranks(), Duration.ofSeconds(60)).stream()
                    .map(world -> threads.submit(() -> RankGroups.split(world, plan.blocks())))
                    .toList()
                    .getFirst()
                    .get();
        }
    }

    private static Layout layout(Architecture model, int ranks, int output) {
        Deployment d = new Deployment(
                CostModel.of(model), KIND, KIND.published(), ranks, new Workload(8192, ranks, 8192, 0, 0));
        return d.layouts().stream()
                .filter(l -> l.tensorParallel() == 1 && l.head() == ranks && l.output() == output)
                .findFirst()
                .orElseThrow();
    }
}
