package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

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
import dev.weft.runtime.Placement;
import dev.weft.runtime.Weft;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceGroups;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A small model over emulated devices joined by HCCL gives the logits of one such device, bit for bit. */
class HcclModelTest {
    private static final int PREFILL = 20;
    /** Four blocks of 128, the last one not whole. */
    private static final int SHARED = 400;

    private static final int DECODE = 3;
    private static final int VOCABULARY = 128;
    private static final Duration DEADLINE = Duration.ofSeconds(60);

    @TempDir
    private static Path directory;

    @BeforeAll
    static void write() {
        Emulator.library(); // nothing is written where nothing can be compared
        ModelConfig config = ModelConfig.flash()
                .with(Map.ofEntries(
                        Map.entry("vocab_size", VOCABULARY),
                        Map.entry("hidden_size", 512),
                        Map.entry("num_hidden_layers", 2),
                        Map.entry("compress_ratios", List.of(4, 128)),
                        Map.entry("num_nextn_predict_layers", 0),
                        Map.entry("num_attention_heads", 4),
                        Map.entry("head_dim", 128),
                        Map.entry("q_lora_rank", 128),
                        Map.entry("o_groups", 4),
                        Map.entry("o_lora_rank", 128),
                        Map.entry("index_n_heads", 8),
                        Map.entry("index_topk", 16),
                        Map.entry("num_hash_layers", 1),
                        Map.entry("n_routed_experts", 8),
                        Map.entry("num_experts_per_tok", 2),
                        Map.entry("moe_intermediate_size", 128)));
        SyntheticCheckpoint.of(config, 3).write(directory);
    }

    @ParameterizedTest
    @CsvSource({
        "Ascend950DT_9591, '', 2, 1, 1",
        "Ascend950DT_9591, '', 4, 4, 2",
        "Ascend950PR_9589, /composite, 2, 2, 1",
        "Ascend910_9382, '', 2, 2, 2"
    })
    void theLogitsOfOneDevice(String soc, String variant, int ranks, int head, int output) {
        ParallelPlan plan = ParallelPlan.experts(ranks).withHead(head).withOutput(output);
        // the layout that counts rows is the default of larger steps only
        theLogitsOfOneDevice(soc, variant, ranks, ranks == 4 ? plan.withFixedTokens(0) : plan, PREFILL);
    }

    /** Every device computes two parts of the prompt. */
    @Test
    @Tag("long")
    void aPromptThatDevicesShare() {
        theLogitsOfOneDevice("Ascend950DT_9591", "", 2, ParallelPlan.experts(2).withContext(), SHARED);
    }

    private void theLogitsOfOneDevice(String soc, String variant, int ranks, ParallelPlan plan, int prompt) {
        int[] ids = new SplittableRandom(7).ints(prompt + DECODE, 0, VOCABULARY).toArray();
        try (Emulator emulator = Emulator.start().with("soc", soc).with("devices", Integer.toString(ranks));
                Weft weft = Weft.open();
                Checkpoint checkpoint = Checkpoint.open(directory)) {
            float[][] alone;
            try (Device device = weft.device("ascend:0" + variant)) {
                alone = logits(checkpoint, device, CompileOptions.DEFAULT, ParallelPlan.ALONE, ids);
            }
            List<float[][]> together = Threads.run(ranks, (rank, fromRankZero) -> {
                try (Device device = weft.device("ascend:" + rank + variant);
                        DeviceCommunicator group =
                                ((DeviceGroups) device.spi()).join("world", rank, ranks, fromRankZero, DEADLINE)) {
                    return logits(checkpoint, device, CompileOptions.DEFAULT.withGroup(group), plan, ids);
                }
            });
            assertThat(alone[DECODE])
                    .as("logits of the last token")
                    .doesNotHaveDuplicates()
                    .doesNotContain(Float.NaN);
            assertThat(together.getFirst()).isDeepEqualTo(alone);
            assertThat(emulator.faults()).isEmpty();
        }
    }

    /** Logits of a prefill in two chunks and of decode steps; none on a rank that follows. */
    private static float[][] logits(
            Checkpoint checkpoint, Device device, CompileOptions options, ParallelPlan plan, int[] ids) {
        int prompt = ids.length - DECODE;
        LoadOptions load = LoadOptions.defaults()
                .mode(NumericMode.BF16)
                .rollback(0) // rings as short as they can be: short parts will do
                .maxContext(ids.length)
                .maxTokens(Math.min(prompt, 256));
        try (DeepSeekV4 model = DeepSeekV4.load(checkpoint, device, load, options, plan, bytes -> {})) {
            if (options.group() != null && options.group().rank() > 0) {
                model.follow();
                return new float[0][];
            }
            try (Session session = model.newSession()) {
                float[][] rows = new float[1 + DECODE][];
                int first = prompt > 256 ? 0 : 7;
                if (first > 0) {
                    session.append(Arrays.copyOf(ids, first));
                }
                rows[0] = session.append(Arrays.copyOfRange(ids, first, prompt));
                for (int i = 0; i < DECODE; i++) {
                    rows[1 + i] = session.append(ids[prompt + i]);
                }
                if (plan.ranks() > 1) {
                    assertThat(model.execution().placement().rows())
                            .as("whether the last step had the fixed layout of dispatch")
                            .extracting(Placement.Row::kernel)
                            .contains(plan.fixedTokens() == 0 ? "collective/moeSend" : "collective/moeGather");
                }
                return rows;
            }
        }
    }
}
