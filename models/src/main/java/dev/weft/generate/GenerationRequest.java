package dev.weft.generate;

import dev.weft.RequestException;
import dev.weft.model.Sampling;
import dev.weft.model.TokenConstraint;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/**
 * What an {@link Engine} generates.
 *
 * @param prompt token ids, one or more
 * @param sampling how tokens are chosen
 * @param speculative whether the MTP block proposes tokens that the next step checks: the same tokens in fewer steps when
 *     greedy, the same distribution when sampled. Needs a model loaded with MTP and a rollback of 1 or more
 * @param endsAfter asked after every token on the engine's thread; true ends the generation with that token. For stop
 *     strings see {@link dev.weft.text.StopStrings}
 * @param constraint says which tokens may come, null for all; used through a copy, so that the request may be made again.
 *     The answer ends with the end of its text, which comes before the tokens run out
 * @param onToken receives every token on the engine's thread, which waits meanwhile; null to read them from
 *     {@link Generation#iterator}
 */
public record GenerationRequest(
        int[] prompt,
        Sampling sampling,
        boolean speculative,
        IntPredicate endsAfter,
        @Nullable TokenConstraint constraint,
        @Nullable Consumer<GeneratedToken> onToken) {
    public GenerationRequest {
        if (prompt.length == 0) {
            throw new RequestException("request: found an empty prompt, expected one token or more");
        }
        prompt = prompt.clone();
    }

    /** A request whose tokens are read from the generation. */
    public static GenerationRequest of(int[] prompt, Sampling sampling) {
        return new GenerationRequest(prompt, sampling, false, token -> false, null, null);
    }

    /** This request with speculation. */
    public GenerationRequest speculating() {
        return new GenerationRequest(prompt, sampling, true, endsAfter, constraint, onToken);
    }

    /** This request ending with the first token for which {@code test} is true. */
    public GenerationRequest endingAfter(IntPredicate test) {
        return new GenerationRequest(prompt, sampling, speculative, test, constraint, onToken);
    }

    /** This request for a text of the form that a constraint demands. */
    public GenerationRequest constrained(TokenConstraint demanded) {
        return new GenerationRequest(prompt, sampling, speculative, endsAfter, demanded, onToken);
    }

    /** This request with a receiver of tokens. */
    public GenerationRequest onToken(Consumer<GeneratedToken> receiver) {
        return new GenerationRequest(prompt, sampling, speculative, endsAfter, constraint, receiver);
    }
}
