package dev.weft.cli;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * What one answer took.
 *
 * @param speed tokens per second
 * @param promptTokens tokens of the prompt
 * @param reusedTokens those of them that the session already had
 * @param firstTokenNanos from the start to the first token
 * @param tokens generated, the end included
 * @param constraint what the form of the text cost, null if it was free
 */
record AnswerStats(
        Speed speed,
        int promptTokens,
        int reusedTokens,
        long firstTokenNanos,
        int tokens,
        @Nullable TimedConstraint constraint) {
    /** Writes a line or two for people. */
    void print(Terminal terminal) {
        terminal.note(
                "prompt %d tokens, %d of them reused; prefill %s; first token after %s; %d tokens, decode %s%n",
                promptTokens, reusedTokens, speed.prefillText(), shown(firstTokenNanos), tokens, speed.decodeText());
        if (constraint != null) {
            terminal.note(
                    "form of the text: median %s per token, %s in all%n",
                    shown(constraint.median()), shown(constraint.total()));
        }
    }

    /** Times of an emulator say nothing. */
    private String shown(long nanos) {
        return speed.device().isEmulator() ? "EMULATOR" : Units.duration(nanos);
    }

    void toJson(ObjectNode node) {
        ObjectNode stats = node.putObject("stats");
        stats.put("promptTokens", promptTokens)
                .put("reusedTokens", reusedTokens)
                .put("tokens", tokens);
        if (!speed.device().isEmulator()) {
            stats.put("firstTokenSeconds", firstTokenNanos / 1e9);
            if (constraint != null) {
                stats.put("constraintMedianSeconds", constraint.median() / 1e9);
                stats.put("constraintSeconds", constraint.total() / 1e9);
            }
        }
    }
}
