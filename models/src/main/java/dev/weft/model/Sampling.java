package dev.weft.model;

import dev.weft.RequestException;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/**
 * How tokens are chosen and when generation ends. Logits go through {@code repetitionPenalty}, {@code presencePenalty} and
 * {@code frequencyPenalty}, then {@code bias}, then {@code temperature}; of the probabilities that follow, the three limits
 * {@code topK}, {@code topP} and {@code minP} each keep a number of the most likely tokens, and the fewest of them count.
 *
 * @param temperature 0 for the most likely token, else the divisor of the logits
 * @param topP share of probability kept, in (0, 1]
 * @param topK most tokens kept, 0 for all
 * @param minP least probability kept, as a share of the most likely token's, in [0, 1]
 * @param repetitionPenalty divisor of positive and factor of negative logits of every token that prompt or answer has, 1
 *     for none
 * @param presencePenalty subtracted from the logit of every token that the answer has, 0 for none
 * @param frequencyPenalty subtracted from a token's logit as often as the answer has it, 0 for none
 * @param bias added to the logits of single tokens; negative infinity forbids one
 * @param maxTokens most tokens generated
 * @param seed start of the random numbers; equal seeds give equal tokens
 * @param stop ids that end the generation; the stopping id is part of the result
 * @param logprobs how many of the most likely tokens are reported with their log probabilities beside the chosen one; -1
 *     for none and nothing about the chosen one either
 */
public record Sampling(
        float temperature,
        float topP,
        int topK,
        float minP,
        float repetitionPenalty,
        float presencePenalty,
        float frequencyPenalty,
        Map<Integer, Float> bias,
        int maxTokens,
        long seed,
        Set<Integer> stop,
        int logprobs) {
    /** Most alternatives that can be reported for a token. */
    public static final int MOST_LOGPROBS = 100;

    public Sampling {
        stop = Set.copyOf(stop);
        bias = Map.copyOf(bias);
        require(temperature >= 0 && Float.isFinite(temperature), "temperature", temperature, "0 or more");
        require(topP > 0 && topP <= 1, "topP", topP, "more than 0 and at most 1");
        require(topK >= 0, "topK", topK, "0 or more");
        require(minP >= 0 && minP <= 1, "minP", minP, "0 to 1");
        require(
                repetitionPenalty > 0 && Float.isFinite(repetitionPenalty),
                "repetitionPenalty",
                repetitionPenalty,
                "more than 0");
        require(Float.isFinite(presencePenalty), "presencePenalty", presencePenalty, "a finite number");
        require(Float.isFinite(frequencyPenalty), "frequencyPenalty", frequencyPenalty, "a finite number");
        require(maxTokens >= 0, "maxTokens", maxTokens, "0 or more");
        require(logprobs >= -1 && logprobs <= MOST_LOGPROBS, "logprobs", logprobs, "-1 to " + MOST_LOGPROBS);
        bias.forEach((id, b) -> {
            require(id >= 0, "bias of token", id, "an id of 0 or more");
            require(b < Float.POSITIVE_INFINITY, "bias of token " + id, b, "a number or negative infinity");
        });
    }

    static void require(boolean ok, String what, Number found, String expected) {
        if (!ok) {
            throw new RequestException("sampling: found " + what + " " + found + ", expected " + expected);
        }
    }

    /** The most likely token each time, without stopping early. */
    public static Sampling greedy(int maxTokens) {
        return random(0, 1, maxTokens, 0);
    }

    /** Random tokens. */
    public static Sampling random(float temperature, float topP, int maxTokens, long seed) {
        return new Sampling(temperature, topP, 0, 0, 1, 0, 0, Map.of(), maxTokens, seed, Set.of(), -1);
    }

    /** These settings ending at any of the given ids. */
    public Sampling stopAt(Integer... ids) {
        return with(d -> d.stop = Set.of(ids));
    }

    /** These settings with two more limits. */
    public Sampling keeping(int topK, float minP) {
        return with(d -> {
            d.topK = topK;
            d.minP = minP;
        });
    }

    /** These settings with penalties. */
    public Sampling penalising(float repetition, float presence, float frequency) {
        return with(d -> {
            d.repetitionPenalty = repetition;
            d.presencePenalty = presence;
            d.frequencyPenalty = frequency;
        });
    }

    /** These settings with other biases. */
    public Sampling bias(Map<Integer, Float> bias) {
        return with(d -> d.bias = bias);
    }

    /** These settings with log probabilities of the chosen token and of the {@code most} most likely ones. */
    public Sampling logprobs(int most) {
        return with(d -> d.logprobs = most);
    }

    /** These settings with another most of tokens. */
    public Sampling maxTokens(int maxTokens) {
        return with(d -> d.maxTokens = maxTokens);
    }

    /** These settings with another start of the random numbers. */
    public Sampling seed(long seed) {
        return with(d -> d.seed = seed);
    }

    private Sampling with(Consumer<Draft> change) {
        Draft draft = new Draft(this);
        change.accept(draft);
        return draft.sampling();
    }

    /** The settings that change after {@link #random}. */
    private static final class Draft {
        private final float temperature;
        private final float topP;
        private int topK;
        private float minP;
        private float repetitionPenalty;
        private float presencePenalty;
        private float frequencyPenalty;
        private Map<Integer, Float> bias;
        private int maxTokens;
        private long seed;
        private Set<Integer> stop;
        private int logprobs;

        Draft(Sampling s) {
            temperature = s.temperature;
            topP = s.topP;
            topK = s.topK;
            minP = s.minP;
            repetitionPenalty = s.repetitionPenalty;
            presencePenalty = s.presencePenalty;
            frequencyPenalty = s.frequencyPenalty;
            bias = s.bias;
            maxTokens = s.maxTokens;
            seed = s.seed;
            stop = s.stop;
            logprobs = s.logprobs;
        }

        Sampling sampling() {
            return new Sampling(
                    temperature,
                    topP,
                    topK,
                    minP,
                    repetitionPenalty,
                    presencePenalty,
                    frequencyPenalty,
                    bias,
                    maxTokens,
                    seed,
                    stop,
                    logprobs);
        }
    }

    /** Whether logits are used as they are. */
    boolean leavesLogits() {
        return repetitionPenalty == 1 && presencePenalty == 0 && frequencyPenalty == 0 && bias.isEmpty();
    }
}
