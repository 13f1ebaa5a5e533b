package dev.weft.cli;

import dev.weft.chat.ChatJson;
import dev.weft.chat.ChatRequest;
import dev.weft.chat.PromptEncoder;
import dev.weft.chat.PromptOptions;
import dev.weft.chat.Tool;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.Sampling;
import dev.weft.model.StepShape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code weft chat}: a conversation, a line a message. */
@Command(
        name = "chat",
        description = {
            "Talk with a model: every line of standard input is a message, and its answer comes at once.",
            "A line that ends with a backslash goes on in the next one; /help lists the commands.",
            "Answers go to standard output, thoughts and all else to standard error."
        })
final class ChatCommand extends WeftCommand {
    private static final int PREFILL_CHUNK = 256;

    @Mixin
    private ModelOptions options = new ModelOptions();

    @Mixin
    private RankOptions ranks = new RankOptions();

    @Option(
            names = "--history",
            paramLabel = "FILE",
            description = "Conversation to go on with, as /save writes it. Options given beside it count.")
    private @Nullable Path history;

    @Option(names = "--system", paramLabel = "TEXT", description = "Instructions before the conversation.")
    private @Nullable String system;

    @Option(
            names = "--mode",
            paramLabel = "MODE",
            description = "non-think, think-high or think-max. Default: " + ChatOptions.DEFAULT_MODE
                    + ", or that of the history.")
    private @Nullable String mode;

    @Option(
            names = "--tools",
            paramLabel = "FILE",
            description = "JSON array of tools the model may call, in the form of the chat APIs.")
    private @Nullable Path tools;

    @Option(
            names = "--texts",
            paramLabel = "FILE",
            description = "Constant texts of prompts. Default: the encoding folder of the model.")
    private @Nullable Path texts;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            description = "Most tokens of an answer. Default: what the context has room for.")
    private int maxTokens = Integer.MAX_VALUE;

    @Mixin
    private SamplingOptions choice = new SamplingOptions();

    @Option(
            names = "--seed",
            paramLabel = "N",
            description = "Equal seeds give equal conversations. Default: another one each time.")
    private @Nullable Long seed;

    @Option(
            names = "--context",
            paramLabel = "N",
            defaultValue = "4096",
            description = "Longest conversation to plan memory for, in tokens. Default: ${DEFAULT-VALUE}.")
    private int context;

    @Option(names = "--stats", description = "Show times and numbers of tokens after every answer.")
    private boolean stats;

    ChatCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        if (context < 1) {
            throw new UsageException("--context: found " + context + ", expected 1 or more");
        }
        Sampling sampling = choice.read(1, maxTokens, seed == null ? System.nanoTime() : seed);
        Path directory = options.directory();
        ModelText text = ModelText.of(directory);
        PromptEncoder encoder = new PromptEncoder(ChatOptions.texts(directory, texts));
        LoadOptions load = LoadOptions.defaults().maxContext(context).maxTokens(Math.min(context, PREFILL_CHUNK));
        List<Tool> offered = ChatOptions.readTools(tools);
        ChatRequest begun = history == null
                ? new ChatRequest(List.of(), ChatOptions.mode(ChatOptions.DEFAULT_MODE))
                : ChatJson.readRequest(Files.readString(history));
        PromptOptions started = mode == null ? begun.options() : ChatOptions.mode(mode);
        return ranks.run(terminal, world -> {
            try (Interruption interruption = Interruption.install(); // closed last: the process waits for the model
                    LoadedModel loaded = options.load(terminal, load, ranks, world)) {
                if (LoadedModel.follows(terminal, loaded.model(), world)) {
                    return ExitCode.OK;
                }
                warmUp(loaded);
                try (Chat chat = new Chat(loaded, text, encoder, started)) {
                    chat.resume(begun.messages());
                    if (system != null) {
                        chat.instruct(system);
                    }
                    if (tools != null) {
                        chat.offer(offered);
                    }
                    if (terminal.interactive()) {
                        terminal.note(
                                "%s on %s; /help lists the commands%n",
                                directory, loaded.device().id());
                    }
                    return new ChatLoop(terminal, chat, sampling, stats, interruption).run();
                }
            }
        });
    }

    /** Where steps are recorded this is done before somebody waits for an answer. */
    private void warmUp(LoadedModel loaded) {
        if (!loaded.device().replays()) {
            return;
        }
        DeepSeekV4 model = loaded.model();
        List<StepShape> shapes = shapes(model.options(), loaded.device().recordings());
        try (Progress progress = new Progress(terminal, "warming up", Progress.Unit.CASES, shapes.size(), 0)) {
            for (int i = 0; i < shapes.size(); i++) {
                progress.accept(i);
                model.warmUp(shapes.subList(i, i + 1));
            }
        }
    }

    /** What an answer and a long prompt consist of, as far as a device keeps recordings of it. */
    static List<StepShape> shapes(LoadOptions options, int recordings) {
        List<StepShape> wanted =
                List.of(StepShape.decode(1), StepShape.prompt(Math.min(options.maxTokens(), options.maxContext())));
        return wanted.subList(0, Math.min(recordings, wanted.size()));
    }
}
