package dev.weft.cli;

import static java.util.Objects.requireNonNull;

import dev.weft.CancelledException;
import dev.weft.RequestException;
import dev.weft.generate.Engine;
import dev.weft.generate.EngineOptions;
import dev.weft.generate.GeneratedToken;
import dev.weft.generate.Generation;
import dev.weft.generate.GenerationRequest;
import dev.weft.grammar.AfterToken;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.Sampling;
import dev.weft.model.TokenConstraint;
import dev.weft.text.StopStrings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
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

    @Mixin
    private RankOptions ranks = new RankOptions();

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

    @Mixin
    private SamplingOptions choice = new SamplingOptions();

    @Option(names = "--stop", paramLabel = "TEXT", description = "Ends the text before this string; may be repeated.")
    private List<String> stop = List.of();

    @Option(names = "--speculate", description = "Let the MTP block propose tokens: the same text in fewer steps.")
    private boolean speculate;

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
        Sampling sampling = choice.read(0, maxTokens, seed);
        if (chat.isOn() && prompt.tokens != null) {
            throw new UsageException("--chat: found with --tokens, expected with --prompt: it wraps a text");
        }
        if (context < 0) {
            throw new UsageException("--context: found " + context + ", expected 1 or more");
        }
        Path directory = options.directory();
        FormOptions.Wanted wanted = form.read(terminal);
        boolean needsText = prompt.tokens == null || wanted != null || !stop.isEmpty();
        @Nullable ModelText text = needsText || ModelText.isIn(directory) ? ModelText.of(directory) : null;
        int[] ids = prompt.tokens == null
                ? encode(requireNonNull(text), wanted == null ? null : wanted.schema(), directory)
                : Json.readIds(prompt.tokens);
        int needed = (int) Math.min(Integer.MAX_VALUE, (long) ids.length + maxTokens);
        LoadOptions load = LoadOptions.defaults()
                .maxContext(context == 0 ? needed : context)
                .maxTokens(Math.clamp(ids.length, 2, PREFILL_CHUNK)); // a proposal is a second token of a step
        if (speculate) {
            load = load.withMtp();
        }
        LoadOptions bounds = load;
        return ranks.run(terminal, world -> {
            try (LoadedModel loaded = options.load(terminal, bounds, ranks, world)) {
                if (!LoadedModel.follows(terminal, loaded.model(), world)) {
                    answer(loaded, ids, sampling, text, wanted);
                }
            }
            return ExitCode.OK;
        });
    }

    private void answer(
            LoadedModel loaded,
            int[] ids,
            Sampling sampling,
            @Nullable ModelText text,
            FormOptions.@Nullable Wanted wanted) {
        int eos = loaded.model().config().eosTokenId();
        StopStrings stops = stop.isEmpty() ? null : stops(requireNonNull(text));
        StreamedText streamed = new StreamedText(
                text == null ? null : text.decoder(), stops, (json ? terminal.muted() : terminal)::stream);
        TimedConstraint constraint = wanted == null ? null : constraint(wanted, requireNonNull(text), loaded.model());
        GenerationRequest request = new GenerationRequest(
                ids,
                sampling.stopAt(eos),
                speculate,
                id -> stops != null && id != eos && stops.test(id),
                constraint,
                token -> streamed.accept(token.id(), token.id() == eos));
        Generation generation = generate(loaded.model(), request);
        streamed.finish();
        report(loaded, generation, streamed, stops != null && stops.hasStopped(), constraint);
    }

    private StopStrings stops(ModelText text) {
        try {
            return new StopStrings(text.decoder(), stop);
        } catch (RequestException e) {
            throw new UsageException("--stop: " + e.getMessage(), e);
        }
    }

    /** Nobody reads a closed pipe: there is no use in going on. */
    private Generation generate(DeepSeekV4 model, GenerationRequest request) {
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            Generation generation = engine.submit(request.endingAfter(
                    id -> request.endsAfter().test(id) || terminal.out().checkError()));
            generation.await();
            if (terminal.out().checkError()) {
                throw new CancelledException("generation: nobody reads the output any more");
            }
            return generation;
        }
    }

    private TimedConstraint constraint(FormOptions.Wanted wanted, ModelText text, DeepSeekV4 model) {
        int end = model.config().eosTokenId();
        TokenConstraint answer = wanted.grammar()
                .compile(text.vocabulary(model.config().vocabSize(), end))
                .newConstraint();
        return new TimedConstraint(chat.thinks() ? new AfterToken(text.endOfThinking(), end, answer) : answer);
    }

    private int[] encode(ModelText text, @Nullable String schema, Path directory) throws IOException {
        String user = requireNonNull(prompt.text);
        return chat.isOn() ? text.ids(chat.prompt(user, schema, directory, terminal)) : text.plain(user);
    }

    private void report(
            LoadedModel loaded,
            Generation generation,
            StreamedText streamed,
            boolean stopped,
            @Nullable TimedConstraint constraint) {
        int eos = loaded.model().config().eosTokenId();
        int[] ids = generation.request().prompt();
        int[] generated =
                generation.await().stream().mapToInt(GeneratedToken::id).toArray();
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
            if (speculate) {
                terminal.note("%d of %d proposals accepted%n", generation.accepted(), generation.drafted());
            }
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
        root.put("ended", ended ? "eos" : stopped ? "stop" : "length");
        if (speculate) {
            root.put("drafted", generation.drafted()).put("accepted", generation.accepted());
        }
        speed.toJson(root);
        if (stats) {
            numbers.toJson(root);
        }
        Json.print(terminal, root);
    }
}
