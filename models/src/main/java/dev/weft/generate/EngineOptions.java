package dev.weft.generate;

import dev.weft.RequestException;

/**
 * Limits of an {@link Engine}.
 *
 * @param promptTokens most prompt tokens of one step, all sequences together, so that a long prompt does not make the others
 *     wait for it; at least 1, and no more than {@link dev.weft.model.LoadOptions#maxTokens} are used. Stretches of prompts that are spread over ranks
 *     are as long as they are
 * @param waiting most requests that wait for a free sequence; one more is refused
 * @param buffered tokens kept for a reader of {@link Generation#iterator} before its sequence pauses; at least 2
 */
public record EngineOptions(int promptTokens, int waiting, int buffered) {
    /** All tokens of a step, 1024 requests, 256 tokens. */
    public static final EngineOptions DEFAULT = new EngineOptions(Integer.MAX_VALUE, 1024, 256);

    public EngineOptions {
        if (promptTokens < 1 || waiting < 0 || buffered < 2) {
            throw new RequestException("engine options: found promptTokens " + promptTokens + ", waiting " + waiting
                    + ", buffered " + buffered + ", expected at least 1, 0 and 2");
        }
    }
}
