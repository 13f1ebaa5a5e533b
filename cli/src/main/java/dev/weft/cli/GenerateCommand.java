package dev.weft.cli;

import static java.util.Objects.requireNonNull;

import dev.weft.RequestException;
import dev.weft.grammar.AfterToken;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Generator;
import dev.weft.model.LoadOptions;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import dev.weft.model.TokenConstraint;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft generate}: continues a prompt. */
@Command(name = "generate", description = "Continue a text, or a list of tokens.")
final class GenerateCommand extends WeftCommand {
    private static final int PREFILL_CHUNK = 256;

    @Mixin
    private ModelOptions options = new ModelOptions();

    @ArgGroup(multiplicity = "1")
    private Prompt prompt = new Prompt();

    /** One of the two. */
    static final class Prompt {
        @Option(
                names = "--prompt",
                required = true,
                paramLabel = "TEXT",
                description = "Text to continue or to answer.")
        private @Nullable String text;

        @Option(
                names = "--tokens",
                required = true,
                paramLabel = "FILE",
                description = "JSON array of token ids to continue.")
        private @Nullable Path tokens;
    }

    @Mixin
    private ChatOptions chat = new ChatOptions();

    @Mixin
    private FormOptions form = new FormOptions();

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "64",
            description = "Most tokens to generate. Default: ${DEFAULT-VALUE}.")
    private int maxTokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            description = "0 for the most likely token each time. Default: ${DEFAULT-VALUE}.")
    private float temperature;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            description = "Share of probability to choose from. Default: ${DEFAULT-VALUE}.")
    private float topP;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Equal seeds give equal texts. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = "--context",
            paramLabel = "N",
            description = "Longest sequence to plan memory for. Default: prompt and new tokens.")
    private int context;

    @Option(names = "--stats", description = "Show times and numbers of tokens on standard error.")
    private boolean stats;

    @Option(names = "--json", description = "Print JSON when done instead of text as it comes.")
    private boolean json;

    GenerateCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        Sampling sampling = sampling();
        if (chat.isOn() && prompt.tokens != null) {
            throw new UsageException("--chat: found with --tokens, expected with --prompt: it wraps a text");
        }
        if (context < 0) {
            throw new UsageException("--context: found " + context + ", expected 1 or more");
        }
        Path directory = options.directory();
        FormOptions.Wanted wanted = form.read(terminal);
        boolean needsText = prompt.tokens == null || wanted != null;
        @Nullable ModelText text = needsText || ModelText.isIn(directory) ? ModelText.of(directory) : null;
        int[] ids = prompt.tokens == null
                ? encode(requireNonNull(text), wanted == null ? null : wanted.schema(), directory)
                : Json.readIds(prompt.tokens);
        int needed = (int) Math.min(Integer.MAX_VALUE, (long) ids.length + maxTokens);
        LoadOptions load = LoadOptions.defaults()
                .maxContext(context == 0 ? needed : context)
                .maxTokens(Math.min(ids.length, PREFILL_CHUNK));
        try (LoadedModel loaded = options.load(terminal, load);
                Session session = loaded.model().newSession()) {
            int eos = loaded.model().config().eosTokenId();
            StreamedText streamed = new StreamedText(
                    text == null ? null : text.decoder(), (json ? terminal.muted() : terminal)::stream);
            TimedConstraint constraint =
                    wanted == null ? null : constraint(wanted, requireNonNull(text), loaded.model());
            int[] generated =
                    generate(session, ids, sampling.stopAt(eos), constraint, id -> streamed.accept(id, id == eos));
            streamed.finish();
            report(loaded, ids, generated, streamed, constraint);
        }
        return ExitCode.OK;
    }

    private int[] generate(
            Session session, int[] ids, Sampling sampling, @Nullable TokenConstraint constraint, IntConsumer onToken) {
        Generator generator = new Generator(session);
        return constraint == null
                ? generator.generate(ids, sampling, onToken, this::readerIsGone)
                : generator.generate(ids, sampling, constraint, onToken, this::readerIsGone);
    }

    private TimedConstraint constraint(FormOptions.Wanted wanted, ModelText text, DeepSeekV4 model) {
        int end = model.config().eosTokenId();
        TokenConstraint answer = wanted.grammar()
                .compile(text.vocabulary(model.config().vocabSize(), end))
                .newConstraint();
        return new TimedConstraint(chat.thinks() ? new AfterToken(text.endOfThinking(), end, answer) : answer);
    }

    private Sampling sampling() {
        try {
            return Sampling.random(temperature, topP, maxTokens, seed);
        } catch (RequestException e) {
            throw new UsageException(e.getMessage(), e);
        }
    }

    private int[] encode(ModelText text, @Nullable String schema, Path directory) throws IOException {
        String user = requireNonNull(prompt.text);
        return chat.isOn() ? text.ids(chat.prompt(user, schema, directory, terminal)) : text.plain(user);
    }

    /** Nobody reads a closed pipe: there is no use in going on. */
    private boolean readerIsGone() {
        return terminal.out().checkError();
    }

    private void report(
            LoadedModel loaded,
            int[] ids,
            int[] generated,
            StreamedText streamed,
            @Nullable TimedConstraint constraint) {
        int eos = loaded.model().config().eosTokenId();
        boolean ended = generated.length > 0 && generated[generated.length - 1] == eos;
        Speed speed = new Speed(
                loaded.device().info(),
                Units.rate(ids.length, streamed.prefillNanos()),
                Units.rate(streamed.decodeSteps(), streamed.decodeNanos()));
        AnswerStats numbers =
                new AnswerStats(speed, ids.length, 0, streamed.prefillNanos(), generated.length, constraint);
        if (!json) {
            terminal.out().println();
            terminal.note(
                    "%s, %s: prefill %d tokens, %s; decode %d tokens, %s%n",
                    loaded.device().id(),
                    NumericModeConverter.name(options.numerics()),
                    ids.length,
                    speed.prefillText(),
                    streamed.decodeSteps(),
                    speed.decodeText());
            if (stats) {
                numbers.print(terminal);
            }
            return;
        }
        ObjectNode root = Json.object();
        root.put("device", loaded.device().id().toString());
        root.put("numerics", NumericModeConverter.name(options.numerics()));
        root.put("promptTokens", ids.length);
        ArrayNode list = root.putArray("tokens");
        for (int id : generated) {
            list.add(id);
        }
        root.put("text", streamed.text());
        root.put("ended", ended ? "eos" : "length");
        speed.toJson(root);
        if (stats) {
            numbers.toJson(root);
        }
        Json.print(terminal, root);
    }
}
