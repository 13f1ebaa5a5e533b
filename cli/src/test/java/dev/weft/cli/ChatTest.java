package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.chat.ChatJson;
import dev.weft.chat.ChatRequest;
import dev.weft.chat.CompletionEvent;
import dev.weft.chat.Message;
import dev.weft.chat.MessageCollector;
import dev.weft.chat.PromptEncoder;
import dev.weft.chat.PromptOptions;
import dev.weft.chat.PromptTexts;
import dev.weft.model.LoadOptions;
import dev.weft.model.Sampling;
import dev.weft.model.StepShape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** {@code weft chat} with its input from a pipe. */
class ChatTest {
    private static final Path MODEL = DemoModel.locate(null);
    private static final Pattern REUSED = Pattern.compile("prompt (\\d+) tokens, (\\d+) of them reused");

    @TempDir
    private Path folder;

    private static Run chat(String input, Object... more) {
        List<Object> arguments = new ArrayList<>(
                List.of("chat", MODEL, "--numerics", "fp32", "--max-tokens", 12, "--seed", 1, "--stats"));
        arguments.addAll(List.of(more));
        return Run.withInput(input, arguments.toArray());
    }

    /** What a fresh session answers to a whole conversation. */
    private static String fresh(ChatRequest request, Path folder) throws IOException {
        int[] ids = ModelText.of(MODEL)
                .ids(new PromptEncoder(PromptTexts.none()).encode(request.messages(), request.options()));
        Path file = Files.writeString(folder.resolve("ids.json"), Arrays.toString(ids));
        return Run.of("generate", MODEL, "--tokens", file, "--max-tokens", 12, "--numerics", "fp32", "--json")
                .json()
                .path("text")
                .stringValue();
    }

    /** Appending to a session what is new, and taking it back where thoughts are dropped, gives what a fresh one gives. */
    @ParameterizedTest
    @ValueSource(strings = {"non-think", "think-high"})
    void answersAreThoseOfAFreshSession(String mode) throws IOException {
        Path saved = folder.resolve("saved.json");
        Run run = chat(
                "What is a hacker?\nWhat is\\\na bug?\n/system Be brief.\nAnd a feature?\n/save " + saved + "\n",
                "--temperature",
                0,
                "--mode",
                mode);
        assertThat(run.code()).as(run.err()).isZero();
        ChatRequest conversation = ChatJson.readRequest(Files.readString(saved));
        List<Message> messages = conversation.messages();
        assertThat(messages)
                .extracting(m -> m.role().wireName())
                .containsExactly("system", "user", "assistant", "user", "assistant", "user", "assistant");
        assertThat(messages.get(3).content()).isEqualTo("What is\na bug?");
        assertThat(run.out())
                .isEqualTo(IntStream.of(2, 4, 6)
                        .mapToObj(i -> messages.get(i).content() + "\n")
                        .reduce("", String::concat));
        for (int i : new int[] {2, 4, 6}) {
            Message answer = messages.get(i);
            List<Message> before = messages.subList(i < 6 ? 1 : 0, i); // the instructions came later
            String fresh = fresh(new ChatRequest(before, conversation.options()), folder);
            assertThat(MessageCollector.read(fresh, conversation.options().mode()))
                    .isEqualTo(answer);
            assertThat(run.err()).contains(answer.reasoning());
            assertThat(answer.reasoning().isEmpty()).isEqualTo(mode.equals("non-think"));
        }
        assertThat(conversation.options())
                .isEqualTo(mode.equals("non-think") ? PromptOptions.nonThink() : PromptOptions.thinkHigh());
    }

    @Test
    void warmingUpAsksForNoMoreThanModelAndDeviceTake() {
        LoadOptions options = LoadOptions.defaults().maxContext(4096).maxTokens(256);
        assertThat(ChatCommand.shapes(options, 8)).containsExactly(StepShape.decode(1), StepShape.prompt(256));
        assertThat(ChatCommand.shapes(options, 1)).containsExactly(StepShape.decode(1));
        RankOptions ranks = new RankOptions();
        CommandLine.populateCommand(ranks, "--spread", "context");
        LoadOptions spread = ranks.bounds(options.maxContext(512));
        assertThat(spread.maxTokens()).isGreaterThan(512);
        assertThat(ChatCommand.shapes(spread, 8)).containsExactly(StepShape.decode(1), StepShape.prompt(512));
    }

    @Test
    void aDeviceThatKeepsOneRecording() {
        try (EmulatedCann cann = new EmulatedCann()) {
            System.setProperty("weft.ascend.graphs", "1");
            Run run = chat("Hi\n", "--device", "ascend:0", "--context", 128);
            assertThat(run.code()).as(run.err()).isZero();
            assertThat(run.out()).isNotEmpty();
        } finally {
            System.clearProperty("weft.ascend.graphs");
        }
    }

    @Test
    void onlyWhatIsNewIsAppended() {
        Run run = chat("What is a hacker?\nWhat is a bug?\n/reset\nWhat is a hacker?\n");
        List<int[]> numbers = new ArrayList<>();
        for (Matcher m = REUSED.matcher(run.err()); m.find(); ) {
            numbers.add(new int[] {Integer.parseInt(m.group(1)), Integer.parseInt(m.group(2))});
        }
        assertThat(numbers).hasSize(3);
        int first = numbers.getFirst()[0];
        assertThat(numbers.getFirst()[1]).isZero();
        assertThat(numbers.get(1)[1]).isGreaterThanOrEqualTo(first);
        assertThat(numbers.get(2)).containsExactly(first, first - 1); // all but the last, whose logits are wanted
    }

    @Test
    void aSavedConversationIsAPrompt() throws IOException {
        Path saved = folder.resolve("saved.json");
        chat("Hello\n/mode high\n/save " + saved + "\n");
        Run prompt = Run.withInput(Files.readString(saved), "prompt");
        assertThat(prompt.json().path("prompt").stringValue())
                .startsWith("<｜begin▁of▁sentence｜><｜User｜>Hello<｜Assistant｜>")
                .endsWith("<｜end▁of▁sentence｜>");
    }

    @Test
    void resultsOfToolsLeadOnInASavedConversation() throws IOException {
        Path history = Files.writeString(folder.resolve("history.json"), """
                {"messages": [{"role": "system", "content": "Add."}, {"role": "user", "content": "1+2, 3+4?"},
                 {"role": "assistant", "content": "", "tool_calls": [
                  {"type": "function", "function": {"name": "add", "arguments": "{\\"a\\": 1, \\"b\\": 2}"}},
                  {"type": "function", "function": {"name": "add", "arguments": "{\\"a\\": 3, \\"b\\": 4}"}}]}],
                 "options": {"thinking_mode": "chat"}}""");
        Path saved = folder.resolve("saved.json");
        Run run = chat("/result 3\n/result 7\n/result 9\n/save " + saved + "\n", "--history", history);
        assertThat(run.err()).contains("/result: found no tool call that waits for one");
        assertThat(REUSED.matcher(run.err()).results()).hasSize(1);
        List<Message> messages = ChatJson.readRequest(Files.readString(saved)).messages();
        assertThat(messages)
                .extracting(m -> m.role().wireName())
                .containsExactly("system", "user", "assistant", "tool", "tool", "assistant");
        assertThat(messages).extracting(Message::content).startsWith("Add.", "1+2, 3+4?", "", "3", "7");
        assertThat(run.out().strip()).isEqualTo(messages.getLast().content().strip());
    }

    @Test
    void commandsAreObeyedOrRefused() {
        Run run = chat("\n/help\n/mode fast\n/mode max\n/save\n/result 5\n/what\n/save /\n//x\n/quit\nNever said\n");
        assertThat(run.code()).isEqualTo(1); // some were refused, and nobody saw it
        assertThat(run.out().lines().count()).isPositive();
        assertThat(run.err())
                .contains("/system [TEXT]")
                .contains("found 'fast', expected one of [non-think, think-high, think-max]")
                .contains("needs the text effort_max")
                .contains("/save: found no file")
                .contains("/result: found no tool call")
                .contains("no command '/what'");
        assertThat(REUSED.matcher(run.err()).results()).hasSize(1); // of the message "/x" only
    }

    @Test
    void anEmptyConversationEndsWell() {
        Run run = chat("");
        assertThat(run.code()).isZero();
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).isEmpty();
    }

    @Test
    void whatIsTooLongIsRefusedAndForgotten() {
        Run run = chat("Hi\n" + "long ".repeat(60) + "\nHi\n", "--context", 48);
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("context of 48");
        assertThat(REUSED.matcher(run.err()).results()).hasSize(2);
    }

    @Test
    void toolsNeedTheTextsOfTheModel() throws IOException {
        Path tools = Files.writeString(
                folder.resolve("tools.json"), "[{\"type\": \"function\", \"function\": {\"name\": \"now\"}}]");
        Run run = chat("Hi\n", "--tools", tools);
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("needs the text tools_prefix");
    }

    @Test
    void aCancelledAnswerStandsAsFarAsItWent() {
        ModelOptions options = new ModelOptions();
        new CommandLine(options).parseArgs(MODEL.toString(), "--numerics", "fp32");
        Terminal terminal = new Terminal(System.out, System.err, false);
        try (LoadedModel loaded = options.load(terminal, LoadOptions.defaults().maxContext(128));
                Chat chat = new Chat(
                        loaded, ModelText.of(MODEL), new PromptEncoder(PromptTexts.none()), PromptOptions.nonThink())) {
            AtomicInteger asked = new AtomicInteger();
            StringBuilder shown = new StringBuilder();
            AnswerStats stats = chat.answer(
                    List.of(Message.user("What is a hacker?")),
                    Sampling.greedy(50),
                    event -> {
                        if (event instanceof CompletionEvent.Content content) {
                            shown.append(content.text());
                        }
                    },
                    () -> asked.incrementAndGet() > 6);
            assertThat(stats.tokens()).isBetween(3, 6);
            assertThat(chat.request().messages()).hasSize(2);
            assertThat(chat.request().messages().getLast().content())
                    .isNotEmpty()
                    .isEqualTo(shown.toString());
        }
    }
}
