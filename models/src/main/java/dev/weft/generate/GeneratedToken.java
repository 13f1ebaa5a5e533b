package dev.weft.generate;

import java.util.List;

/**
 * A token of an answer.
 *
 * @param id the token
 * @param logprob natural logarithm of the probability that the model itself gives it, before temperature, penalties and
 *     limits; NaN if {@link dev.weft.model.Sampling#logprobs} does not ask for it
 * @param alternatives the most likely tokens with their log probabilities, most likely first
 */
public record GeneratedToken(int id, float logprob, List<Alternative> alternatives) {
    /** A token with its log probability. */
    public record Alternative(int id, float logprob) {}

    public GeneratedToken {
        alternatives = List.copyOf(alternatives);
    }
}
