package dev.weft.chat;

import dev.weft.RequestException;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Writes conversations as prompts (specification 8.5), byte for byte what the encoder in the checkpoint writes.
 *
 * <p>A last message of the assistant with {@link Message#withOpenEnd} is continued: prefix completion. The other way to
 * let the model write between given texts is {@link #fillInTheMiddle}. Thread-safe.
 */
public final class PromptEncoder {
    private static final String SECTION = "\n\n";

    private final PromptTexts texts;
    private final Revision revision;

    /** An encoder for the format of the checkpoint that the texts come from. */
    public PromptEncoder(PromptTexts texts) {
        this(texts, texts.revision());
    }

    /** An encoder for a given format. */
    public PromptEncoder(PromptTexts texts, Revision revision) {
        this.texts = texts;
        this.revision = revision;
    }

    /** The format that is written. */
    public Revision revision() {
        return revision;
    }

    /**
     * The prompt of a conversation, up to where the answer begins.
     *
     * @throws MissingPromptTextException if a constant text is needed that the checkpoint did not provide
     * @throws RequestException if a message is not what its role allows, or the effort belongs to the other revision
     */
    public Prompt encode(List<Message> messages, PromptOptions options) {
        Conversation conversation = Conversation.of(messages, options);
        List<Turn> turns = conversation.turns();
        int lastQuestion = conversation.lastQuestion();
        Prompt.Builder prompt = new Prompt.Builder();
        if (options.beginOfSentence()) {
            prompt.token(SpecialTokens.BEGIN_OF_SENTENCE);
        }
        if (options.thinks() && !turns.isEmpty()) {
            writeEffort(options, prompt);
        }
        for (int i = 0; i < turns.size(); i++) {
            Turn turn = turns.get(i);
            boolean thinkingShown = options.thinks() && (conversation.keepsThinking() || i > lastQuestion);
            boolean afterTask = i > 0 && turns.get(i - 1).message().task() != null;
            writeTurn(turn, thinkingShown && !afterTask, prompt);
            if (i + 1 == turns.size() || isAnswer(turns.get(i + 1).role())) {
                boolean thinks = options.thinks() && (conversation.keepsThinking() || i >= lastQuestion);
                writeHeader(turn, thinks, options.thinks(), prompt);
            }
        }
        return prompt.build();
    }

    private static boolean isAnswer(Role role) {
        return role == Role.ASSISTANT || role == Role.LATEST_REMINDER;
    }

    private void writeEffort(PromptOptions options, Prompt.Builder prompt) {
        revision.effortText(options.effort())
                .ifPresent(text -> prompt.constant(texts.require(
                        text,
                        "thinking mode with reasoning_effort "
                                + options.effort().wireName())));
    }

    private void writeTurn(Turn turn, boolean thinkingShown, Prompt.Builder prompt) {
        Message message = turn.message();
        switch (turn.role()) {
            case SYSTEM -> writeInstructions(message, prompt);
            case DEVELOPER -> {
                if (message.content().isEmpty()) {
                    throw new RequestException("message of role developer: found no content, expected some");
                }
                writeInstructions(message, prompt.token(SpecialTokens.USER));
            }
            case USER ->
                prompt.token(SpecialTokens.USER)
                        .text(turn.blocks().stream().map(PromptEncoder::written).collect(Collectors.joining(SECTION)));
            case LATEST_REMINDER -> prompt.token(SpecialTokens.LATEST_REMINDER).text(message.content());
            case ASSISTANT -> {
                if (thinkingShown) {
                    prompt.text(message.reasoning()).token(SpecialTokens.END_THINK);
                }
                prompt.text(message.content());
                if (!message.toolCalls().isEmpty()) {
                    Dsml.write(message.toolCalls(), prompt);
                }
                if (!message.openEnd()) {
                    prompt.token(SpecialTokens.END_OF_SENTENCE);
                }
            }
            case TOOL -> throw new IllegalStateException("tool results are part of the user's turn");
        }
    }

    private static String written(Turn.Block block) {
        return block.isToolResult() ? "<tool_result>" + block.text() + "</tool_result>" : block.text();
    }

    private void writeInstructions(Message message, Prompt.Builder prompt) {
        prompt.text(message.content());
        if (!message.tools().isEmpty()) {
            String mode = "a message with tools";
            prompt.text(SECTION).constant(texts.require(PromptText.TOOLS_PREFIX, mode));
            prompt.text(message.tools().stream().map(Tool::function).collect(Collectors.joining("\n")));
            prompt.constant(texts.require(PromptText.TOOLS_SUFFIX, mode));
        }
        if (message.responseFormat() != null) {
            prompt.text(SECTION)
                    .constant(texts.require(PromptText.RESPONSE_FORMAT_PREFIX, "a message with response_format"))
                    .text(message.responseFormat());
        }
    }

    /** What leads to the answer. A task has its own; only the task "action" goes through the assistant. */
    private static void writeHeader(Turn turn, boolean thinks, boolean thinkingMode, Prompt.Builder prompt) {
        Task task = turn.message().task();
        if (task == null && !turn.role().asks()) {
            return;
        }
        if (task == null || task == Task.ACTION) {
            boolean opens = task == null ? thinks : thinkingMode;
            prompt.token(SpecialTokens.ASSISTANT).token(opens ? SpecialTokens.THINK : SpecialTokens.END_THINK);
        }
        if (task != null) {
            prompt.token(task.token());
        }
    }

    /**
     * The prompt for the text between two others, without reasoning (specification 8.5). The checkpoint's encoder has no
     * such prompt: this is the convention of the model family, in which begin of sentence is unconfirmed.
     *
     * @param prefix what stands before
     * @param suffix what stands after
     * @param beginOfSentence whether to start with the begin-of-sentence token
     */
    public static Prompt fillInTheMiddle(String prefix, String suffix, boolean beginOfSentence) {
        Prompt.Builder prompt = new Prompt.Builder();
        if (beginOfSentence) {
            prompt.token(SpecialTokens.BEGIN_OF_SENTENCE);
        }
        return prompt.token(SpecialTokens.FIM_BEGIN)
                .text(prefix)
                .token(SpecialTokens.FIM_HOLE)
                .text(suffix)
                .token(SpecialTokens.FIM_END)
                .build();
    }
}
