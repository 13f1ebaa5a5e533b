package dev.weft.model;

import dev.weft.RequestException;
import java.util.Set;

/**
 * How tokens are chosen and when generation ends.
 *
 * @param temperature 0 for the most likely token, else the divisor of the logits
 * @param topP share of probability kept, in (0, 1]
 * @param maxTokens most tokens generated
 * @param seed start of the random numbers; equal seeds give equal tokens
 * @param stop ids that end the generation; the stopping id is part of the result
 */
public record Sampling(float temperature, float topP, int maxTokens, long seed, Set<Integer> stop) {
    public Sampling {
        stop = Set.copyOf(stop);
        if (!(temperature >= 0) || Float.isInfinite(temperature)) {
            throw new RequestException("sampling: found temperature " + temperature + ", expected 0 or more");
        }
        if (!(topP > 0 && topP <= 1)) {
            throw new RequestException("sampling: found topP " + topP + ", expected more than 0 and at most 1");
        }
        if (maxTokens < 0) {
            throw new RequestException("sampling: found maxTokens " + maxTokens + ", expected 0 or more");
        }
    }

    /** The most likely token each time, without stopping early. */
    public static Sampling greedy(int maxTokens) {
        return new Sampling(0, 1, maxTokens, 0, Set.of());
    }

    /** Random tokens. */
    public static Sampling random(float temperature, float topP, int maxTokens, long seed) {
        return new Sampling(temperature, topP, maxTokens, seed, Set.of());
    }

    /** These settings ending at any of the given ids. */
    public Sampling stopAt(Integer... ids) {
        return new Sampling(temperature, topP, maxTokens, seed, Set.of(ids));
    }
}
