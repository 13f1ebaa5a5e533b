package dev.weft.chat;

import org.jspecify.annotations.Nullable;

/**
 * How a conversation becomes a prompt (specification 8.4, 8.5).
 *
 * @param mode whether to reason
 * @param effort how long, null for the default; without effect in {@link ThinkingMode#CHAT}
 * @param dropThinking whether reasoning before the last question is left out. Without effect if a message carries
 *     tools: then all of it is kept
 * @param beginOfSentence whether to start with the begin-of-sentence token
 */
public record PromptOptions(
        ThinkingMode mode, @Nullable ReasoningEffort effort, boolean dropThinking, boolean beginOfSentence) {
    /** Non-think: answer at once. */
    public static PromptOptions nonThink() {
        return new PromptOptions(ThinkingMode.CHAT, null, true, true);
    }

    /** Think High: reason with the effort {@code high}. */
    public static PromptOptions thinkHigh() {
        return nonThink().withMode(ThinkingMode.THINKING).withEffort(ReasoningEffort.HIGH);
    }

    /** Think Max: reason with the effort {@code max}, which needs a text of the checkpoint. */
    public static PromptOptions thinkMax() {
        return thinkHigh().withEffort(ReasoningEffort.MAX);
    }

    /** These options with another mode. */
    public PromptOptions withMode(ThinkingMode changed) {
        return new PromptOptions(changed, effort, dropThinking, beginOfSentence);
    }

    /** These options with another effort, null for the default. */
    public PromptOptions withEffort(@Nullable ReasoningEffort changed) {
        return new PromptOptions(mode, changed, dropThinking, beginOfSentence);
    }

    /** These options, earlier reasoning left out or kept. */
    public PromptOptions withDropThinking(boolean changed) {
        return new PromptOptions(mode, effort, changed, beginOfSentence);
    }

    /** These options with or without begin of sentence. */
    public PromptOptions withBeginOfSentence(boolean changed) {
        return new PromptOptions(mode, effort, dropThinking, changed);
    }

    boolean thinks() {
        return mode == ThinkingMode.THINKING;
    }
}
