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
 * @param cachePages pages of {@link #PAGE_TOKENS} tokens that all sequences and prefix caches share, at least what one
 *     sequence of the longest context needs; 0 plans for every sequence to grow to the longest context
 * @param stateLimit most bytes of states on the device, rings and pages; a load that would need more is refused before
 *     anything is allocated
 */
public record LoadOptions(
        NumericMode mode,
        int maxContext,
        int maxTokens,
        int maxSequences,
        int rollback,
        boolean mtp,
        boolean trace,
        int cachePages,
        long stateLimit) {
    /** Tokens per cache page: the smallest that holds whole entries of every compression ratio in use. */
    public static final int PAGE_TOKENS = 128;

    public LoadOptions {
        if (maxContext < 1 || maxTokens < 1 || maxSequences < 1 || rollback < 0 || stateLimit < 1) {
            throw new GraphException("load options: expected positive bounds: maxContext=" + maxContext + " maxTokens="
                    + maxTokens + " maxSequences=" + maxSequences + " rollback=" + rollback + " stateLimit="
                    + stateLimit);
        }
        int least = Math.ceilDiv(maxContext, PAGE_TOKENS);
        if (cachePages != 0 && cachePages < least) {
            throw new GraphException("load options: found cachePages=" + cachePages + ", expected 0 or at least "
                    + least + ", which one sequence of maxContext=" + maxContext + " tokens needs");
        }
    }

    /** BF16, 4096 tokens of context, chunks of 256, one sequence. */
    public static LoadOptions defaults() {
        return new LoadOptions(NumericMode.BF16, 4096, 256, 1, 8, false, false, 0, Long.MAX_VALUE);
    }

    public LoadOptions mode(NumericMode mode) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace, cachePages, stateLimit);
    }

    public LoadOptions maxContext(int maxContext) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace, cachePages, stateLimit);
    }

    public LoadOptions maxTokens(int maxTokens) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace, cachePages, stateLimit);
    }

    public LoadOptions maxSequences(int maxSequences) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace, cachePages, stateLimit);
    }

    public LoadOptions rollback(int rollback) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace, cachePages, stateLimit);
    }

    public LoadOptions withMtp() {
        return new LoadOptions(
                mode, maxContext, maxTokens, maxSequences, rollback, true, trace, cachePages, stateLimit);
    }

    public LoadOptions withTrace() {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, true, cachePages, stateLimit);
    }

    public LoadOptions cachePages(int cachePages) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace, cachePages, stateLimit);
    }

    public LoadOptions stateLimit(long stateLimit) {
        return new LoadOptions(mode, maxContext, maxTokens, maxSequences, rollback, mtp, trace, cachePages, stateLimit);
    }

    /** Pages that {@code tokens} tokens lie in. */
    static int pagesOf(int tokens) {
        return Math.ceilDiv(tokens, PAGE_TOKENS);
    }

    /** Pages that one sequence of the longest context needs. */
    int pagesPerSequence() {
        return pagesOf(maxContext);
    }

    /** Pages in the pools. */
    int pages() {
        return cachePages != 0 ? cachePages : Math.multiplyExact(pagesPerSequence(), maxSequences);
    }
}
