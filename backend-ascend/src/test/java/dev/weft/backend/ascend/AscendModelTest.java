package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.weft.io.Checkpoint;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceGroups;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The whole graph on the emulator, for every product, with fused and with simple operators, against the CPU: a random model
 * of Flash's widths, which the operators demand, with few layers, experts and tokens. One layer of each kind.
 */
@Tag("long")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AscendModelTest {
    /** Property that asks for composites on every product too, which are minutes. */
    private static final String ALL = "weft.test.ascend.all";

    private static final int PREFILL = 131;
    private static final int DECODE = 6;
    private static final int VOCABULARY = 256;

    /**
     * Largest squared error of the logits relative to their square. Random weights amplify every rounding of a BF16 flow:
     * two instruction-set levels of the CPU differ by 0.005 to 0.011 on such a model, a wrong operator by 1.
     */
    private static final double TOLERANCE = 0.05;

    private static final Duration DEADLINE = Duration.ofMinutes(5);
    private static final LoadOptions OPTIONS =
            LoadOptions.defaults().mode(NumericMode.BF16).maxContext(256).maxTokens(PREFILL);

    @TempDir
    private static Path directory;

    private final int[] ids =
            new SplittableRandom(7).ints(PREFILL + DECODE, 0, VOCABULARY).toArray();
    private float[][] expected = {};

    @BeforeAll
    void write() {
        Emulator.library(); // nothing is written where nothing can be compared
        ModelConfig config = ModelConfig.flash()
                .with(Map.of(
                        "vocab_size", VOCABULARY,
                        "num_hidden_layers", 3,
                        "compress_ratios", List.of(0, 4, 128),
                        "num_nextn_predict_layers", 0,
                        "num_hash_layers", 1,
                        "n_routed_experts", 8,
                        "moe_intermediate_size", 256));
        SyntheticCheckpoint.of(config, 3).write(directory);
        expected = logits("cpu:0");
    }

    @TestFactory
    Stream<DynamicTest> wholeGraph() {
        List<List<String>> runs = new ArrayList<>(List.of(
                List.of("Ascend950DT_9591", "ascend:0"),
                List.of("Ascend950DT_9591", "ascend:0/composite"),
                List.of("Ascend950PR_9589", "ascend:0"),
                List.of("Ascend910_9382", "ascend:0"),
                List.of("Ascend910B1", "ascend:0")));
        if (Boolean.getBoolean(ALL)) {
            runs.add(List.of("Ascend950PR_9589", "ascend:0/composite"));
            runs.add(List.of("Ascend910_9382", "ascend:0/composite"));
            runs.add(List.of("Ascend910B1", "ascend:0/composite"));
        }
        return runs.stream()
                .map(run -> dynamicTest(run.get(1) + " on " + run.get(0), () -> compare(run.get(1), run.get(0))));
    }

    /** Ranks joined by HCCL, on request only. */
    @ParameterizedTest
    @CsvSource({
        "Ascend950DT_9591, '', 2",
        "Ascend950DT_9591, '', 4",
        "Ascend950PR_9589, '', 2",
        "Ascend910_9382, '', 4",
        "Ascend950DT_9591, /composite, 2"
    })
    @EnabledIfSystemProperty(named = ALL, matches = "true")
    void wholeGraphOverRanks(String soc, String variant, int ranks) {
        float[][] actual;
        try (Emulator emulator = Emulator.start().with("soc", soc).with("devices", Integer.toString(ranks));
                Weft weft = Weft.open();
                Checkpoint checkpoint = Checkpoint.open(directory)) {
            List<float[][]> all = Threads.run(ranks, (rank, fromRankZero) -> {
                try (Device device = weft.device("ascend:" + rank + variant);
                        DeviceCommunicator group =
                                ((DeviceGroups) device.spi()).join("world", rank, ranks, fromRankZero, DEADLINE)) {
                    CompileOptions options = CompileOptions.DEFAULT.withGroup(group);
                    ParallelPlan plan = ParallelPlan.experts(ranks).withHead(2).withOutput(2);
                    try (DeepSeekV4 model = DeepSeekV4.load(checkpoint, device, OPTIONS, options, plan, bytes -> {})) {
                        if (rank > 0) {
                            model.follow();
                            return new float[0][];
                        }
                        return logits(model);
                    }
                }
            });
            actual = all.getFirst();
        }
        compare(actual, ranks + " ranks of " + variant, soc);
    }

    private void compare(String device, String soc) {
        float[][] actual;
        try (Emulator emulator = Emulator.start().with("soc", soc)) {
            actual = logits(device);
        }
        compare(actual, device, soc);
    }

    private void compare(float[][] actual, String device, String soc) {
        double error = 0;
        double square = 0;
        for (int i = 0; i < expected.length; i++) {
            for (int v = 0; v < VOCABULARY; v++) {
                double difference = actual[i][v] - expected[i][v];
                error += difference * difference;
                square += (double) expected[i][v] * expected[i][v];
            }
        }
        assertThat(error / square).as("squared error of %s on %s", device, soc).isLessThan(TOLERANCE);
    }

    /** Logits of a prefill in two chunks and of decode steps, the later ones replayed from a graph. */
    private float[][] logits(String device) {
        try (Weft weft = Weft.open();
                Checkpoint checkpoint = Checkpoint.open(directory);
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device(device), OPTIONS)) {
            return logits(model);
        }
    }

    private float[][] logits(DeepSeekV4 model) {
        try (Session session = model.newSession()) {
            float[][] rows = new float[1 + DECODE][];
            session.append(Arrays.copyOf(ids, 100));
            rows[0] = session.append(Arrays.copyOfRange(ids, 100, PREFILL));
            for (int i = 0; i < DECODE; i++) {
                rows[1 + i] = session.append(ids[PREFILL + i]);
            }
            return rows;
        }
    }
}
