package dev.weft.model;

import dev.weft.GraphException;

/**
 * How a model is loaded. Memory is planned for these bounds.
 *
 * @param mode numeric mode
 * @param maxContext longest sequence in tokens
 * @param maxTokens most tokens of one step; longer prefills run in chunks
 * @param maxSequences most sequences alive at once
 * @param rollback tokens by which {@link Session#truncate} can go back without computing again
 * @param mtp whether the multi-token-prediction block is loaded, if the checkpoint has one
 * @param trace whether intermediate values are outputs, for comparison with other implementations
 */
public record LoadOptions(
        NumericMode mode, int maxContext, int maxTokens, int maxSequences, int rollback, boolean mtp, boolean trace) {
    /** Tokens per cache page: the smallest that holds whole entries of every compression ratio in use. */
    public static final int PAGE_TOKENS = 128;

    public LoadOptions {
        if (maxContext < 1 || maxTokens < 1 || maxSequences < 1 || rollback < 0) {
            throw new GraphException("load options: expected positive bounds: maxContext=" + maxContext + " maxTokens="
                    + maxTokens + " maxSequences=" + maxSequences + " rollback=" + rollback);
        }
    }

    /** BF16, 4096 tokens of context, chunks of 256, one sequence. */
    public static LoadOptions defaults() {
        return new LoadOptions(NumericMode.BF16, 4096, 256, 1, 8, false, false);
    }

    public LoadOptions mode(NumericMode mode) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace);
    }

    public LoadOptions maxContext(int maxContext) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace);
    }

    public LoadOptions maxTokens(int maxTokens) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace);
    }

    public LoadOptions maxSequences(int maxSequences) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace);
    }

    public LoadOptions rollback(int rollback) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace);
    }

    public LoadOptions withMtp() {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, true, trace);
    }

    public LoadOptions withTrace() {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, true);
    }

    /** Pages that one sequence of the longest context needs. */
    int pagesPerSequence() {
        return Math.ceilDiv(maxContext, PAGE_TOKENS);
    }

    /** Pages in the pools: every sequence may grow to the longest context. */
    int pages() {
        return Math.multiplyExact(pagesPerSequence(), maxSequences);
    }
}
