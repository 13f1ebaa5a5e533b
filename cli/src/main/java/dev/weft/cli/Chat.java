package dev.weft.cli;

import dev.weft.CancelledException;
import dev.weft.chat.ChatRequest;
import dev.weft.chat.CompletionEvent;
import dev.weft.chat.Message;
import dev.weft.chat.MessageCollector;
import dev.weft.chat.PromptEncoder;
import dev.weft.chat.PromptOptions;
import dev.weft.chat.Role;
import dev.weft.chat.StreamingCompletionParser;
import dev.weft.chat.Tool;
import dev.weft.model.Generator;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * A conversation with a model. One session holds its tokens: of every new prompt it keeps what it begins with and appends
 * the rest.
 */
final class Chat implements AutoCloseable {
    private final LoadedModel loaded;
    private final ModelText text;
    private final PromptEncoder encoder;
    private List<Tool> tools = List.of();
    private final Session session;
    private final List<Message> history = new ArrayList<>();
    private String system = "";
    private PromptOptions options;

    Chat(LoadedModel loaded, ModelText text, PromptEncoder encoder, PromptOptions options) {
        this.loaded = loaded;
        this.text = text;
        this.encoder = encoder;
        this.options = options;
        this.session = loaded.model().newSession();
    }

    /** Goes on with a conversation, which may begin with instructions and tools; only the mode is not taken over. */
    void resume(List<Message> messages) {
        history.clear();
        history.addAll(messages);
        if (!messages.isEmpty() && messages.getFirst().role() == Role.SYSTEM) {
            system = messages.getFirst().content();
            tools = messages.getFirst().tools();
            history.removeFirst();
        }
    }

    /** Tools that the model may call. */
    void offer(List<Tool> offered) {
        tools = offered;
    }

    /** Instructions for the whole conversation, empty for none. */
    void instruct(String instructions) {
        system = instructions;
    }

    /** How the next answers are made. @throws dev.weft.WeftException if the model's texts do not suffice */
    void use(PromptOptions changed) {
        encoder.encode(List.of(Message.user("")), changed);
        options = changed;
    }

    /** Forgets what was said; instructions and mode stay. */
    void reset() {
        history.clear();
    }

    /** What was said, as a request that leads to the next answer. */
    ChatRequest request() {
        List<Message> messages = new ArrayList<>();
        if (!system.isEmpty() || !tools.isEmpty()) {
            messages.add(Message.system(system).withTools(tools));
        }
        messages.addAll(history);
        return new ChatRequest(messages, options);
    }

    /** Tool calls of the last answer that have no result yet. */
    int openCalls() {
        int results = 0;
        for (Message message : history.reversed()) {
            if (!message.toolCallId().isEmpty()) {
                results++;
            } else {
                return Math.max(0, message.toolCalls().size() - results);
            }
        }
        return 0;
    }

    /** Takes the result of the next open tool call. */
    void result(String result) {
        history.add(Message.tool("call", result));
    }

    /**
     * Says something and takes the answer, or as much of it as there is when it is cancelled. If the answer fails, nothing
     * was said.
     *
     * @param question what is said; nothing to go on after results of tools
     * @param events takes the answer as it comes
     */
    AnswerStats answer(
            List<Message> question, Sampling sampling, Consumer<CompletionEvent> events, BooleanSupplier cancelled) {
        history.addAll(question);
        try {
            return answer(sampling, events, cancelled);
        } catch (RuntimeException e) {
            history.subList(history.size() - question.size(), history.size()).clear();
            throw e;
        }
    }

    private AnswerStats answer(Sampling sampling, Consumer<CompletionEvent> events, BooleanSupplier cancelled) {
        ChatRequest request = request();
        int[] ids = text.ids(encoder.encode(request.messages(), request.options()));
        int kept = keepBeginning(ids);
        int[] rest = Arrays.copyOfRange(ids, kept, ids.length);
        MessageCollector collector = new MessageCollector();
        StreamingCompletionParser parser = new StreamingCompletionParser(options.mode(), events.andThen(collector));
        StreamedText streamed = new StreamedText(text.decoder(), parser::accept);
        int room = Math.max(1, loaded.model().options().maxContext() - ids.length);
        Sampling limited = sampling.maxTokens(Math.min(sampling.maxTokens(), room))
                .stopAt(loaded.model().config().eosTokenId());
        try {
            new Generator(session).generate(rest, limited, id -> streamed.accept(id, false), cancelled);
        } catch (CancelledException e) {
            // what was said so far stands
        }
        streamed.finish();
        parser.finish();
        history.add(collector.message());
        Speed speed = new Speed(
                loaded.device().info(),
                Units.rate(rest.length, streamed.prefillNanos()),
                Units.rate(streamed.decodeSteps(), streamed.decodeNanos()));
        return new AnswerStats(speed, ids.length, kept, streamed.prefillNanos(), streamed.tokens(), null);
    }

    /** Takes the session back to what it has in common with a prompt; the last token is always appended anew. */
    private int keepBeginning(int[] ids) {
        int[] held = session.tokens();
        int differs = Arrays.mismatch(ids, held);
        int common = Math.min(differs < 0 ? ids.length : differs, ids.length - 1);
        if (common < held.length) {
            session.truncate(common);
        }
        return common;
    }

    @Override
    public void close() {
        session.close();
    }
}
