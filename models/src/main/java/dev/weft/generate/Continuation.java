package dev.weft.generate;

import dev.weft.model.Draws;
import dev.weft.model.Feed;
import dev.weft.model.Prefill;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import dev.weft.model.TokenConstraint;
import dev.weft.model.TokenMask;
import dev.weft.model.TokenSampler;
import java.util.Arrays;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/**
 * One sequence between its steps: which tokens it appends next, and what follows from the logits. The prompt goes in pieces;
 * then each step appends the token chosen last, with speculation also the token that the MTP block proposes after it.
 */
final class Continuation {
    private static final int NONE = -1;
    private static final float[] NO_LOGITS = {};

    private final Session session;
    private final @Nullable Prefill prefill;
    private final int[] prompt;
    private final Sampling sampling;
    private final boolean speculative;
    private final IntPredicate endsAfter;
    private final TokenSampler sampler;
    private final @Nullable TokenConstraint constraint;
    private final int context;
    private final Progress progress;

    /** Whether steps draw the tokens, and nobody needs the logits. */
    private final boolean isDrawn;

    /** Chosen and not appended yet. */
    private int pending = NONE;
    /** Proposed to follow it. */
    private int draft = NONE;

    private int generated;
    private @Nullable TokenMask mask;
    private @Nullable FinishReason reason;

    /** Receives what a step brings. */
    interface Progress {
        void token(GeneratedToken token);

        void draft(boolean accepted);
    }

    /**
     * @param session empty, or with the first tokens of the prompt that {@code prefill} found in a cache
     * @param prefill brings the prompt into the session and remembers it, null without a cache
     * @param context longest sequence
     */
    Continuation(
            Session session, @Nullable Prefill prefill, GenerationRequest request, int context, Progress progress) {
        this.session = session;
        this.prefill = prefill;
        this.prompt = request.prompt();
        this.sampling = request.sampling();
        this.speculative = request.speculative();
        this.endsAfter = request.endsAfter();
        this.sampler = new TokenSampler(sampling);
        this.constraint =
                request.constraint() == null ? null : request.constraint().copy();
        this.context = context;
        this.progress = progress;
        // a proposal's probability is in the logits, unless there is no chance in it
        boolean needsProbabilities = sampling.logprobs() >= 0 || (speculative && sampling.temperature() > 0);
        this.isDrawn = sampler.isPlain() && constraint == null && !needsProbabilities;
        sampler.prompt(prompt);
        if (sampling.maxTokens() == 0) {
            reason = FinishReason.LENGTH;
        }
    }

    Session session() {
        return session;
    }

    /** Why it has ended, null while it goes on. */
    @Nullable
    FinishReason reason() {
        return reason;
    }

    boolean isInPrompt() {
        return session.position() < prompt.length;
    }

    /** Whether {@link #propose} is due before the next step. */
    boolean wantsDraft() {
        return speculative && pending != NONE && draft == NONE && session.position() + 2 <= context;
    }

    /** The token after which a proposal is wanted. */
    int pending() {
        return pending;
    }

    /** Asks for what {@link #propose} needs. */
    void askProposal(Draws draws) {
        if (isDrawn) {
            sampler.ask(draws);
        } else {
            draws.skip();
        }
    }

    /** Takes the proposal of the MTP block, or draws it from its logits. */
    void propose(Draws draws, int row, int vocabulary) {
        draft = isDrawn
                ? draws.token(row)
                : sampler.propose(draws.logits(), row * vocabulary, vocabulary, allowed(vocabulary));
    }

    /** How many tokens the next step needs at least. */
    int least() {
        return draft == NONE ? 1 : 2;
    }

    /** Tokens of the prompt up to where it ends or is to be remembered. */
    int inPrompt() {
        return prefill == null ? prompt.length - session.position() : prefill.next(prompt.length).length;
    }

    /** Tokens of the next step. @param most limit for a piece of the prompt, 1 or more; other steps have one or two */
    Feed feed(int most) {
        if (isInPrompt()) {
            int from = session.position();
            int[] tokens = prefill == null
                    ? Arrays.copyOfRange(prompt, from, Math.min(prompt.length, from + most))
                    : prefill.next(most);
            boolean isLast = from + tokens.length == prompt.length;
            return new Feed(session, tokens, isLast ? Feed.Want.LAST : Feed.Want.NONE);
        }
        int[] tokens = draft == NONE ? new int[] {pending} : new int[] {pending, draft};
        return new Feed(session, tokens, Feed.Want.ALL);
    }

    /** Asks for what {@link #take} needs of the rows that {@code feed} wants: tokens, or logits to choose from. */
    void ask(Feed feed, Draws draws) {
        for (int i = 0; i < feed.wanted(); i++) {
            if (isDrawn) {
                sampler.ask(draws);
            } else {
                draws.skip();
            }
        }
    }

    /** Takes what the step of {@code feed} brought: {@code feed.wanted()} rows from {@code row} on. */
    void take(Feed feed, Draws draws, int row, int vocabulary) {
        if (pending == NONE && prefill != null) {
            prefill.stepped();
        }
        if (feed.wanted() == 0) {
            return;
        }
        if (isDrawn && draft != NONE) {
            checkDrawn(draws.token(row), draws.token(row + 1));
        } else if (isDrawn) {
            emitDrawn(draws.token(row));
        } else if (draft != NONE) {
            check(draws.logits(), row * vocabulary, vocabulary);
        } else {
            choose(draws.logits(), row * vocabulary, vocabulary);
        }
    }

    private void choose(float[] logits, int at, int vocabulary) {
        emit(sampler.next(logits, at, vocabulary, allowed(vocabulary)), logits, at, vocabulary);
    }

    /** Two rows: what follows the pending token, and what follows the proposal if that is right. */
    private void check(float[] logits, int at, int vocabulary) {
        int proposed = draft;
        draft = NONE;
        int token = sampler.verify(logits, at, vocabulary, allowed(vocabulary));
        boolean accepted = token == proposed;
        progress.draft(accepted);
        emit(token, logits, at, vocabulary);
        if (accepted && reason == null) {
            choose(logits, at + vocabulary, vocabulary);
        } else {
            session.truncate(session.position() - 1); // wrong, or last: the last token is never appended
        }
    }

    /** The same where both rows' tokens have been drawn: the most likely ones. */
    private void checkDrawn(int token, int next) {
        boolean accepted = token == draft;
        draft = NONE;
        progress.draft(accepted);
        emitDrawn(token);
        if (accepted && reason == null) {
            emitDrawn(next);
        } else {
            session.truncate(session.position() - 1);
        }
    }

    private void emitDrawn(int token) {
        sampler.accept(token);
        emit(token, NO_LOGITS, 0, 0);
    }

    /** The tokens that may come next, null for all. */
    private @Nullable TokenMask allowed(int vocabulary) {
        if (constraint == null) {
            return null;
        }
        if (mask == null) {
            mask = new TokenMask(vocabulary);
        }
        constraint.allowed(mask, Math.min(sampling.maxTokens(), context - prompt.length + 1) - generated);
        return mask;
    }

    private void emit(int token, float[] logits, int at, int vocabulary) {
        pending = token;
        generated++;
        if (constraint != null) {
            constraint.accept(token);
        }
        if (constraint != null && constraint.isFinished()) {
            reason = FinishReason.STOP;
        } else if (sampling.stop().contains(token) || endsAfter.test(token)) {
            reason = FinishReason.STOP;
        } else if (generated == sampling.maxTokens()) {
            reason = FinishReason.LENGTH;
        } else if (prompt.length + generated > context) {
            reason = FinishReason.CONTEXT;
        }
        progress.token(LogProbabilities.of(token, logits, at, vocabulary, sampling.logprobs()));
    }
}
