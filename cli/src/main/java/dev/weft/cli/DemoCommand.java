package dev.weft.cli;

import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Generator;
import dev.weft.model.LoadOptions;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft demo}: loads the model that comes with Weft, lets it speak, and holds all devices against the reference. */
@Command(
        name = "demo",
        description =
                "Run the small model that comes with Weft on every device and compare them with the scalar reference.")
final class DemoCommand extends WeftCommand {
    private static final String QUESTION = "What is a hacker?";
    private static final int ANSWER_TOKENS = 100;
    private static final int CONTEXT = 256;
    private static final Sampling SAMPLING = Sampling.random(0.7f, 0.95f, ANSWER_TOKENS, 7);

    private static final int PASSAGE = 256;

    @Option(names = "--json", description = "Print JSON when done.")
    private boolean json;

    @Option(names = "--model", paramLabel = "DIR", description = "Another model than the one that comes with Weft.")
    private @Nullable Path given;

    DemoCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        Path directory = DemoModel.locate(given);
        ModelText text = ModelText.of(directory);
        ObjectNode root = Json.object();
        root.put("model", directory.toString());
        try (Weft weft = Weft.open();
                Checkpoint checkpoint = Checkpoint.open(directory)) {
            DeviceReport devices = DeviceReport.of(weft);
            devices.toJson(root);
            Terminal shown = json ? terminal.muted() : terminal;
            devices.print(shown);
            shown.printf("%nmodel %s%n", directory);
            speak(shown, checkpoint, weft.best(), text, root);
            int[] passage = DemoModel.passage(directory, text, PASSAGE);
            boolean passed = new DeviceComparison(shown, checkpoint, weft, passage).run(root);
            root.put("passed", passed);
            if (json) {
                Json.print(terminal, root);
            }
            return passed ? ExitCode.OK : ExitCode.FAILED;
        }
    }

    /** Answers a question on the best device, in the publisher's numeric mode. */
    private void speak(Terminal shown, Checkpoint checkpoint, Device device, ModelText text, ObjectNode root) {
        LoadOptions options = LoadOptions.defaults().maxContext(CONTEXT).maxTokens(CONTEXT / 2);
        try (DeepSeekV4 model = LoadedModel.load(terminal, checkpoint, device, options);
                Session session = model.newSession()) {
            String placement = model.placement().summary();
            shown.printf("%s%n> %s%n", placement, QUESTION);
            int[] prompt = text.chat(QUESTION);
            int eos = model.config().eosTokenId();
            StreamedText answer = new StreamedText(text.decoder(), shown::stream);
            new Generator(session)
                    .generate(prompt, SAMPLING.stopAt(eos), id -> answer.accept(id, id == eos), () -> false);
            answer.finish();
            Speed speed = new Speed(
                    device.info(),
                    Units.rate(prompt.length, answer.prefillNanos()),
                    Units.rate(answer.decodeSteps(), answer.decodeNanos()));
            String mode = NumericModeConverter.name(options.mode());
            shown.printf(
                    "%n(%s, %s, temperature %.1f, top-p %.2f, %d tokens at %s)%n%n",
                    device.id(),
                    mode,
                    SAMPLING.temperature(),
                    SAMPLING.topP(),
                    answer.decodeSteps() + 1,
                    speed.decodeText());
            root.put("placement", placement);
            ObjectNode told = root.putObject("answer")
                    .put("device", device.id().toString())
                    .put("numerics", mode)
                    .put("question", QUESTION)
                    .put("text", answer.text());
            speed.toJson(told);
        }
    }
}
