package dev.weft.plan;

import dev.weft.CheckpointException;
import dev.weft.io.support.ModelFile;
import dev.weft.io.support.StrictJson;
import dev.weft.model.config.ModelConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A model as far as its costs go. Immutable.
 *
 * @param family {@code DeepSeek-V4} or {@code DeepSeek-V3.2}
 * @param hidden width {@code d} of the residual stream
 * @param attention layers of the main stack
 * @param moeLayers those of them that have experts
 * @param mtpBlocks blocks that draft tokens
 * @param experts routed experts per layer
 * @param activeExperts routed experts per token
 * @param expertInner inner width of an expert
 * @param splits parts into which tensor parallelism can cut a layer
 * @param splitName what those parts are
 * @param maxContext longest context the model was trained for
 * @param cache lanes of cache entries
 * @param format the cache's own format
 * @param parameters all parameters, MTP blocks included
 * @param config what Weft loads; null for a family that it does not run
 */
public record Architecture(
        String family,
        int hidden,
        List<AttentionLayer> attention,
        int moeLayers,
        int mtpBlocks,
        int experts,
        int activeExperts,
        int expertInner,
        int splits,
        String splitName,
        long maxContext,
        CacheLayout cache,
        CacheFormat format,
        List<ParameterGroup> parameters,
        @Nullable ModelConfig config) {
    private static final long MAX_CONFIG_BYTES = 16L << 20;

    public Architecture {
        attention = List.copyOf(attention);
        parameters = List.copyOf(parameters);
    }

    /**
     * A model from its configuration.
     *
     * @throws CheckpointException if its sizes exceed 63 bits, or the keys of its DSpark drafter are missing or wrong
     */
    public static Architecture of(ModelConfig config) {
        return V4Architecture.of(config);
    }

    /** DeepSeek-V4-Flash as published. */
    public static Architecture flash() {
        return of(ModelConfig.flash());
    }

    /** DeepSeek-V4-Pro as published. */
    public static Architecture pro() {
        return of(ModelConfig.pro());
    }

    /** DeepSeek-V3.2 as published: what V4 is held against. */
    public static Architecture v32() {
        return V32Architecture.published();
    }

    /**
     * Reads a configuration of {@code model_type} {@code deepseek_v4} or {@code deepseek_v32}.
     *
     * @param configJson the file, or the folder that holds it as {@code config.json}
     * @throws CheckpointException if a value is missing, wrong or contradicts another
     */
    public static Architecture read(Path configJson) {
        Path file = Files.isDirectory(configJson) ? configJson.resolve("config.json") : configJson;
        return parse(ModelFile.bytes(file, MAX_CONFIG_BYTES, "a configuration"), file.toString());
    }

    /**
     * As {@link #read}, from JSON text.
     *
     * @param json the text in UTF-8
     * @param subject what to call it in messages
     */
    public static Architecture parse(byte[] json, String subject) {
        JsonNode type = StrictJson.object(json, subject).path("model_type");
        return switch (type.isString() ? type.stringValue() : "") {
            case "deepseek_v4" -> of(ModelConfig.parse(json, subject));
            case V32Architecture.MODEL_TYPE -> V32Architecture.parse(json, subject);
            default ->
                throw new CheckpointException(subject + ": model_type: found "
                        + StrictJson.shortened(type.isMissingNode() ? "nothing" : type.toString())
                        + ", expected \"deepseek_v4\" or \"deepseek_v32\"");
        };
    }

    /** Layers of the main stack. */
    public int layers() {
        return attention.size();
    }

    /** Parameters of the main stack. */
    public long mainParameters() {
        return count(g -> !g.mtp());
    }

    /** Parameters with the MTP blocks. */
    public long allParameters() {
        return count(g -> true);
    }

    /** Parameters that one token uses, without those of the MTP blocks and the embedding table, of which it reads a row. */
    public long activeParameters() {
        return parameters.stream()
                .filter(g -> !g.mtp() && g.kind() != ParameterGroup.Kind.EMBEDDING)
                .mapToLong(this::active)
                .sum();
    }

    /** Bytes of all tensors of the checkpoint, scales and tables included. */
    public long checkpointBytes() {
        return parameters.stream().mapToLong(ParameterGroup::bytes).sum();
    }

    /** Parameters of some groups. */
    public long count(Predicate<ParameterGroup> which) {
        return parameters.stream()
                .filter(which)
                .mapToLong(ParameterGroup::parameters)
                .sum();
    }

    /** Bytes of some groups. */
    public long bytes(Predicate<ParameterGroup> which) {
        return parameters.stream()
                .filter(which)
                .mapToLong(ParameterGroup::bytes)
                .sum();
    }

    /** Parameters of a group that one token uses. */
    long active(ParameterGroup g) {
        return g.kind() == ParameterGroup.Kind.ROUTED_EXPERTS
                ? g.parameters() / experts * activeExperts
                : g.parameters();
    }
}
