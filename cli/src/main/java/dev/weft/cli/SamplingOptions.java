package dev.weft.cli;

import dev.weft.RequestException;
import dev.weft.model.Sampling;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say how tokens are chosen, for commands that generate. */
final class SamplingOptions {
    @Option(
            names = "--temperature",
            paramLabel = "T",
            description = "0 for the most likely token each time. Default: 0, in conversations 1.")
    private @Nullable Float temperature;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            description = "Share of probability to choose from. Default: ${DEFAULT-VALUE}.")
    private float topP;

    @Option(
            names = "--top-k",
            paramLabel = "N",
            defaultValue = "0",
            description = "Most tokens to choose from, 0 for all. Default: ${DEFAULT-VALUE}.")
    private int topK;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            defaultValue = "0",
            description = "Least probability to choose from, as a share of the greatest. Default: ${DEFAULT-VALUE}.")
    private float minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "X",
            defaultValue = "1",
            description = "Divides the logits of tokens that prompt or answer has. Default: ${DEFAULT-VALUE}.")
    private float repetitionPenalty;

    @Option(
            names = "--presence-penalty",
            paramLabel = "X",
            defaultValue = "0",
            description = "Subtracted from the logits of tokens that the answer has. Default: ${DEFAULT-VALUE}.")
    private float presencePenalty;

    @Option(
            names = "--frequency-penalty",
            paramLabel = "X",
            defaultValue = "0",
            description = "Subtracted as often as the answer has the token. Default: ${DEFAULT-VALUE}.")
    private float frequencyPenalty;

    @Option(
            names = "--logit-bias",
            paramLabel = "ID=X",
            description = "Added to the logit of one token; may be repeated. -Infinity forbids it.")
    private Map<Integer, Float> bias = new HashMap<>();

    /** @throws UsageException if a value is out of range */
    Sampling read(float defaultTemperature, int maxTokens, long seed) {
        try {
            return Sampling.random(temperature == null ? defaultTemperature : temperature, topP, maxTokens, seed)
                    .keeping(topK, minP)
                    .penalising(repetitionPenalty, presencePenalty, frequencyPenalty)
                    .bias(bias);
        } catch (RequestException e) {
            throw new UsageException(e.getMessage(), e);
        }
    }
}
