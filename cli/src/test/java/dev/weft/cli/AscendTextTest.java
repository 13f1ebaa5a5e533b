package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.chat.Message;
import dev.weft.chat.PromptEncoder;
import dev.weft.chat.PromptOptions;
import dev.weft.chat.PromptTexts;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.Session;
import dev.weft.model.TokenSampler;
import dev.weft.runtime.Weft;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import jdk.jfr.consumer.RecordingStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Texts of the demo model on the emulated 950DT, beside the CPU's. */
@Tag("long")
class AscendTextTest {
    private static final Path MODEL = DemoModel.locate(null);
    private static final String PROMPT = "What is a hacker?";
    private static final int TOKENS = 40;

    /** Logits by which a BF16 flow may move one token against another; instruction sets of the CPU do so by up to 0.3 here. */
    private static final float NEAR = 0.5f;

    private EmulatedCann cann;

    @BeforeEach
    void start() {
        cann = new EmulatedCann();
        cann.configure("delay", "0");
    }

    @AfterEach
    void stop() {
        if (cann != null) {
            cann.close();
        }
    }

    private static JsonNode generate(String device, String numerics) {
        Run run = Run.of(
                "generate",
                MODEL,
                "--device",
                device,
                "--numerics",
                numerics,
                "--prompt",
                PROMPT,
                "--chat",
                "--temperature",
                0,
                "--max-tokens",
                TOKENS,
                "--json");
        assertThat(run.code()).as(run.err()).isZero();
        return run.json();
    }

    private static Run chat(String device) {
        Run run = Run.withInput(
                PROMPT + "\nAnd a bug?\n",
                "chat",
                MODEL,
                "--device",
                device,
                "--numerics",
                "fp32",
                "--context",
                96,
                "--max-tokens",
                12,
                "--temperature",
                0);
        assertThat(run.code()).as(run.err()).isZero();
        return run;
    }

    /** Where nothing is quantised, units that add in another order choose the same tokens. */
    @Test
    void generationGivesTheSameText() {
        JsonNode text = generate("ascend:0", "fp32");
        assertThat(text.path("tokens"))
                .hasSizeGreaterThan(20)
                .isEqualTo(generate("cpu:0", "fp32").path("tokens"));
        assertThat(text.path("decodeTokensPerSecond").isNumber()).isFalse();
    }

    /** With quantisers a rounding may turn a choice between two; every choice is one that the CPU might have made there. */
    @Test
    void quantisedGenerationChoosesWhatTheHostMight() {
        int[] tokens = ids(generate("ascend:0", "bf16").path("tokens"));
        int[] prompt = ModelText.of(MODEL)
                .ids(new PromptEncoder(PromptTexts.none())
                        .encode(List.of(Message.user(PROMPT)), PromptOptions.nonThink()));
        LoadOptions options = LoadOptions.defaults().maxContext(prompt.length + tokens.length);
        try (Weft weft = Weft.open();
                Checkpoint checkpoint = Checkpoint.open(MODEL);
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device("cpu:0"), options);
                Session session = model.newSession()) {
            float[] logits = session.append(prompt);
            for (int i = 0; i < tokens.length; i++) {
                int best = TokenSampler.argmax(logits);
                assertThat(logits[tokens[i]])
                        .as("logit of token %d, beside that of the CPU's choice", i)
                        .isGreaterThan(logits[best] - NEAR);
                logits = session.append(tokens[i]);
            }
        }
        assertThat(tokens).hasSizeGreaterThan(10);
    }

    private static int[] ids(JsonNode tokens) {
        return tokens.values().stream().mapToInt(JsonNode::asInt).toArray();
    }

    @Test
    void conversationsAreTheSame() {
        assertThat(chat("ascend:0").out()).isNotBlank().isEqualTo(chat("cpu:0").out());
    }

    /** A device that records steps has done so before the first message is read. */
    @Test
    void conversationsBeginWarm() {
        assertThat(kindsOf(() -> chat("ascend:0")))
                .startsWith("warm-up", "warm-up", "warm-up", "warm-up", "prefill", "decode")
                .filteredOn("warm-up"::equals)
                .hasSize(4);
        assertThat(kindsOf(() -> chat("cpu:0"))).startsWith("prefill", "decode").doesNotContain("warm-up");
    }

    private static List<String> kindsOf(Runnable work) {
        List<String> kinds = new CopyOnWriteArrayList<>();
        try (RecordingStream events = new RecordingStream()) {
            events.enable("dev.weft.Step");
            events.onEvent("dev.weft.Step", e -> kinds.add(e.getString("kind")));
            events.startAsync();
            work.run();
            events.stop();
        }
        return kinds;
    }
}
