package dev.weft.backend.cpu.parallel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.bench.LayerBench;
import dev.weft.bench.QuickWeights;
import dev.weft.bench.Rounds;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.graph.Value;
import dev.weft.model.LayerProbe;
import dev.weft.model.LayerStack;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.LocalGroup;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The layer that is measured over ranks is the layer of one device, with half of its experts on each. */
class LayerShareTest {
    private static final int TOKENS = 5;
    private static final ParallelPlan TWO = ParallelPlan.experts(2).withOutput();

    private static ModelConfig config() {
        return ModelConfig.read(GoldenModel.micro().directory().resolve("config.json"))
                .with(Map.of(
                        "hidden_size", 512,
                        "num_attention_heads", 4,
                        "o_groups", 4,
                        "n_routed_experts", 8,
                        "num_experts_per_tok", 3,
                        "num_hash_layers", 0));
    }

    private static <T> List<T> onRanks(int ranks, Function<Communicator, T> work) throws Exception {
        List<Future<T>> all = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(ranks)) {
            for (Communicator group : LocalGroup.of(ranks, Duration.ofSeconds(60))) {
                all.add(threads.submit(() -> work.apply(group)));
            }
        }
        List<T> results = new ArrayList<>();
        for (Future<T> f : all) {
            results.add(f.get());
        }
        return results;
    }

    /** Residual streams behind the layer, for those that belong to a rank. */
    private static byte[] run(ParallelPlan plan, @Nullable Communicator group, int rank) {
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(1));
                QuickWeights weights = new QuickWeights(1);
                QuickWeights rows = new QuickWeights(2 + rank);
                LayerProbe layer = LayerProbe.load(
                        config(),
                        LayerStack.of(LayerKind.CSA, TOKENS, TOKENS),
                        weft.device("cpu:0"),
                        weights,
                        plan,
                        group,
                        bytes -> {})) {
            layer.rows(0);
            Value streams = layer.graph().values(Value.Kind.INPUT).getLast();
            layer.streams(rows.values(streams.type(), TOKENS * layer.streamBytes()));
            layer.run();
            return layer.result();
        }
    }

    @ParameterizedTest
    @CsvSource({"2, 2", "4, 2"})
    void ranksGiveTheBitsOfOneDevice(int ranks, int output) throws Exception {
        ParallelPlan plan = ParallelPlan.experts(ranks).withOutput(output);
        List<byte[]> shares = onRanks(ranks, group -> run(plan, group, group.rank()));
        for (int rank = 0; rank < ranks; rank++) {
            assertThat(shares.get(rank)).isEqualTo(run(ParallelPlan.ALONE, null, rank));
        }
        assertThat(shares.get(0)).isNotEqualTo(shares.get(1));
    }

    @Test
    void expertsTakeHalfTheMemoryAndTimeHasParts() throws Exception {
        Rounds rounds = new Rounds(2, 1);
        onRanks(2, group -> {
            try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(1));
                    LayerBench layer = LayerBench.load(
                            weft.device("cpu:0"), config(), LayerStack.of(LayerKind.CSA, 2, 42), 1, TWO, group, bytes -> {})) {
                LayerBench.Memory memory = layer.memory();
                assertThat(2 * memory.experts())
                        .isEqualTo(memory.expertsAlone())
                        .isPositive();
                assertThat(memory.others()).isLessThan(memory.othersAlone());
                assertThat(layer.weightBytes()).isEqualTo(memory.experts() + memory.others());
                assertThat(layer.whole(rounds, n -> {}).result().seconds()).hasSize(2);
                List<LayerBench.Share> parts = layer.parts(rounds, n -> {});
                assertThat(parts)
                        .extracting(p -> p.result().name())
                        .containsExactly(
                                "attention", "gate", "dispatch", "experts", "shared", "combine", "rest", "waiting");
                assertThat(parts)
                        .allSatisfy(p -> assertThat(p.least()).isPositive().isLessThanOrEqualTo(p.most()));
                return true;
            }
        });
    }
}
