package dev.weft.model;

import dev.weft.RequestException;

/**
 * What a device records of a step: its numbers of rows, not what is in them.
 *
 * @param sequences sequences of the step
 * @param tokens tokens that each of them appends
 * @param want which logits are returned
 * @see DeepSeekV4#warmUp
 */
public record StepShape(int sequences, int tokens, Feed.Want want) {
    public StepShape {
        if (sequences < 1 || tokens < 1) {
            throw new RequestException("shape of a step: found " + sequences + " sequences of " + tokens
                    + " tokens, expected 1 or more of each");
        }
    }

    /** A token for each of some sequences: the next step of their answers. */
    public static StepShape decode(int sequences) {
        return new StepShape(sequences, 1, Feed.Want.LAST);
    }

    /** A part of a prompt that is not its last; prompts are cut to parts of {@link LoadOptions#maxTokens}. */
    public static StepShape prompt(int tokens) {
        return new StepShape(1, tokens, Feed.Want.NONE);
    }

    /** Tokens of all sequences. */
    int rows() {
        return Math.multiplyExact(sequences, tokens);
    }

    /** Rows whose logits are returned. */
    int wanted() {
        return sequences * want.rows(tokens);
    }
}
