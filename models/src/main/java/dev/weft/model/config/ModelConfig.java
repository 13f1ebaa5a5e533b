package dev.weft.model.config;

import dev.weft.CheckpointException;
import dev.weft.io.support.ConfigReader;
import dev.weft.io.support.ModelFile;
import dev.weft.io.support.StrictJson;
import dev.weft.op.MoeGate;
import dev.weft.op.RotaryParameters;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import tools.jackson.databind.node.ObjectNode;

/**
 * The configuration of a DeepSeek-V4 model, {@code config.json} (specification 1). Accessors carry the names of the
 * keys. What the model is follows from the fields alone, never from its name. Immutable; everything is checked when it
 * is read.
 */
public final class ModelConfig {
    private static final int MAX_LAYERS = 4096;
    private static final int MAX_WIDTH = 1 << 20;
    private static final int MAX_COUNT = 1 << 16;
    private static final int MAX_VOCABULARY = 1 << 24;
    private static final long MAX_FILE_BYTES = 16L << 20;
    /** Columns of one FP8 weight or activation block; inputs of quantised linears are whole blocks. */
    private static final int FP8_BLOCK = 128;
    /** Lanes of one FP8 block of cached keys and values. */
    private static final int KV_BLOCK = 64;
    /** Blocks of a DSpark drafter, whose builds have as many trailing {@code compress_ratios} (specification, appendix A). */
    static final int DSPARK_BLOCKS = 3;

    private static final String DSPARK_KEY = "dspark_block_size";
    private final int vocabSize;
    private final int hiddenSize;
    private final int numHiddenLayers;
    private final int numNextnPredictLayers;
    private final int numAttentionHeads;
    private final int headDim;
    private final int qkRopeHeadDim;
    private final int qLoraRank;
    private final int oGroups;
    private final int oLoraRank;
    private final int slidingWindow;
    private final int indexNHeads;
    private final int indexHeadDim;
    private final int indexTopk;
    private final int nRoutedExperts;
    private final int nSharedExperts;
    private final int numExpertsPerTok;
    private final int moeIntermediateSize;
    private final int numHashLayers;
    private final float routedScalingFactor;
    private final float swigluLimit;
    private final int hcMult;
    private final int hcSinkhornIters;
    private final float hcEps;
    private final float rmsNormEps;
    private final int maxPositionEmbeddings;
    private final double ropeTheta;
    private final double compressRopeTheta;
    private final int bosTokenId;
    private final int eosTokenId;
    private final int[] compressRatios;
    private final MoeGate.Score score;
    private final boolean fp4Experts;
    private final RotaryParameters windowRotary;
    private final RotaryParameters compressedRotary;
    private final Map<String, Object> extra;
    private final ObjectNode source;

    private ModelConfig(String subject, ObjectNode source) {
        this.source = source;
        ConfigReader c = new ConfigReader(subject, source);
        checkArchitecture(c);
        vocabSize = c.integer("vocab_size", 1, MAX_VOCABULARY);
        hiddenSize = blocks(c, "hidden_size");
        numHiddenLayers = c.integer("num_hidden_layers", 1, MAX_LAYERS);
        numNextnPredictLayers = c.integer("num_nextn_predict_layers", 0, 64, 0);
        numAttentionHeads = c.integer("num_attention_heads", 1, MAX_COUNT);
        headDim = c.integer("head_dim", 2, MAX_COUNT);
        qkRopeHeadDim = c.integer("qk_rope_head_dim", 2, MAX_COUNT);
        qLoraRank = blocks(c, "q_lora_rank");
        oGroups = c.integer("o_groups", 1, MAX_COUNT);
        oLoraRank = c.integer("o_lora_rank", 1, MAX_WIDTH);
        slidingWindow = c.integer("sliding_window", 1, MAX_WIDTH);
        indexNHeads = c.integer("index_n_heads", 1, MAX_COUNT);
        indexHeadDim = c.integer("index_head_dim", 32, MAX_COUNT);
        indexTopk = c.integer("index_topk", 1, MAX_WIDTH);
        nRoutedExperts = c.integer("n_routed_experts", 1, MAX_COUNT);
        nSharedExperts = c.integer("n_shared_experts", 1, 64);
        numExpertsPerTok = c.integer("num_experts_per_tok", 1, MAX_COUNT);
        moeIntermediateSize = blocks(c, "moe_intermediate_size");
        numHashLayers = c.integer("num_hash_layers", 0, MAX_LAYERS, 0);
        routedScalingFactor = (float) c.real("routed_scaling_factor", 1e-6, 1e6);
        swigluLimit = (float) c.real("swiglu_limit", 1e-6, 1e30);
        hcMult = c.integer("hc_mult", 1, 64);
        hcSinkhornIters = c.integer("hc_sinkhorn_iters", 1, 1000);
        hcEps = (float) c.real("hc_eps", 0, 1);
        rmsNormEps = (float) c.real("rms_norm_eps", 1e-30, 1);
        maxPositionEmbeddings = c.integer("max_position_embeddings", 1, Integer.MAX_VALUE);
        ropeTheta = c.real("rope_theta", 1.000001, 1e12);
        compressRopeTheta = c.real("compress_rope_theta", 1.000001, 1e12);
        bosTokenId = c.integer("bos_token_id", 0, vocabSize - 1, 0);
        eosTokenId = c.integer("eos_token_id", 0, vocabSize - 1, Math.min(1, vocabSize - 1));
        score = score(c);
        fp4Experts =
                c.has("expert_dtype") && c.oneOf("expert_dtype", "fp4", "fp8").equals("fp4");
        compressRatios = c.integers("compress_ratios", MAX_WIDTH);
        checkRelations(c);
        checkQuantisation(c.section("quantization_config"));
        windowRotary = RotaryParameters.plain(qkRopeHeadDim, ropeTheta);
        compressedRotary = yarn(c.section("rope_scaling"));
        extra = c.rest();
    }

    /** Reads a configuration. @throws CheckpointException if a value is missing, wrong or contradicts another */
    public static ModelConfig read(Path configJson) {
        return parse(ModelFile.bytes(configJson, MAX_FILE_BYTES, "a configuration"), configJson.toString());
    }

    /**
     * A configuration from JSON text.
     *
     * @param json the text in UTF-8
     * @param subject what to call it in messages
     * @throws CheckpointException if a value is missing, wrong or contradicts another
     */
    public static ModelConfig parse(byte[] json, String subject) {
        return new ModelConfig(subject, StrictJson.object(json, subject));
    }

    /** The published configuration of DeepSeek-V4-Flash. */
    public static ModelConfig flash() {
        return published("flash.json");
    }

    /** The published configuration of DeepSeek-V4-Pro. */
    public static ModelConfig pro() {
        return published("pro.json");
    }

    private static ModelConfig published(String resource) {
        try (InputStream in = ModelConfig.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new CheckpointException(resource + ": is missing from the library");
            }
            return parse(in.readAllBytes(), resource);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * This configuration with one top-level key changed, checked again.
     *
     * @param key HF key
     * @param value plain Java value: number, string, boolean, list or map
     */
    public ModelConfig with(String key, Object value) {
        return with(Map.of(key, value));
    }

    /** This configuration with several top-level keys changed at once, checked again. */
    public ModelConfig with(Map<String, Object> changes) {
        ObjectNode copy = source.deepCopy();
        changes.forEach((key, value) -> copy.set(key, StrictJson.toNode(value)));
        return new ModelConfig("config with " + changes.keySet(), copy);
    }

    /** The text of a {@code config.json} that {@link #read} turns into this configuration. */
    public String toJson() {
        return StrictJson.pretty(source) + "\n";
    }

    private static void checkArchitecture(ConfigReader c) {
        c.oneOf("model_type", "deepseek_v4");
        if (c.has("architectures")) {
            c.only("architectures", List.of("DeepseekV4ForCausalLM"));
        }
        c.only("num_key_value_heads", 1);
        c.only("topk_method", "noaux_tc");
        c.only("norm_topk_prob", true);
        c.only("hidden_act", "silu");
        c.only("attention_bias", false);
        c.only("tie_word_embeddings", false);
        c.ignore("attention_dropout", "initializer_range", "torch_dtype", "dtype", "use_cache", "transformers_version");
    }

    private static int blocks(ConfigReader c, String key) {
        int v = c.integer(key, 1, MAX_WIDTH);
        c.require(v % FP8_BLOCK == 0, key, "a multiple of " + FP8_BLOCK + ", the FP8 block");
        return v;
    }

    private static MoeGate.Score score(ConfigReader c) {
        return switch (c.oneOf("scoring_func", "sqrtsoftplus", "sigmoid", "softmax")) {
            case "sigmoid" -> MoeGate.Score.SIGMOID;
            case "softmax" -> MoeGate.Score.SOFTMAX;
            default -> MoeGate.Score.SQRT_SOFTPLUS;
        };
    }

    private void checkRelations(ConfigReader c) {
        c.require(qkRopeHeadDim % 2 == 0, "qk_rope_head_dim", "an even number: lanes rotate in pairs");
        c.require(headDim > qkRopeHeadDim, "head_dim", "more than qk_rope_head_dim = " + qkRopeHeadDim);
        c.require(
                (headDim - qkRopeHeadDim) % KV_BLOCK == 0,
                "head_dim",
                "qk_rope_head_dim = " + qkRopeHeadDim + " plus a multiple of " + KV_BLOCK
                        + ", the FP8 block of the cache");
        c.require(
                numAttentionHeads % oGroups == 0,
                "o_groups",
                "a divisor of num_attention_heads = " + numAttentionHeads);
        c.require(
                (long) oGroups * oLoraRank % FP8_BLOCK == 0,
                "o_lora_rank",
                "o_groups * o_lora_rank to be a multiple of " + FP8_BLOCK + ", the FP8 block; o_groups = " + oGroups);
        c.require(Integer.bitCount(indexHeadDim) == 1, "index_head_dim", "a power of two: the Hadamard size");
        c.require(indexHeadDim >= qkRopeHeadDim, "index_head_dim", "at least qk_rope_head_dim = " + qkRopeHeadDim);
        c.require(
                numExpertsPerTok <= nRoutedExperts,
                "num_experts_per_tok",
                "at most n_routed_experts = " + nRoutedExperts);
        c.require(
                numHashLayers <= numHiddenLayers, "num_hash_layers", "at most num_hidden_layers = " + numHiddenLayers);
        int n = compressRatios.length;
        boolean fits = n == numHiddenLayers
                || n == numHiddenLayers + numNextnPredictLayers
                || (hasDsparkDrafter() && n == numHiddenLayers + DSPARK_BLOCKS);
        c.require(
                fits,
                "compress_ratios",
                numHiddenLayers + " entries, or with those of the MTP blocks "
                        + (numHiddenLayers + numNextnPredictLayers) + "; there are " + n);
    }

    private static void checkQuantisation(ConfigReader q) {
        q.oneOf("quant_method", "fp8");
        q.oneOf("scale_fmt", "ue8m0");
        q.only("fmt", "e4m3");
        q.only("activation_scheme", "dynamic");
        int[] block = q.integers("weight_block_size", MAX_WIDTH);
        q.require(Arrays.equals(block, new int[] {FP8_BLOCK, FP8_BLOCK}), "weight_block_size", "[128, 128]");
    }

    private RotaryParameters yarn(ConfigReader r) {
        r.oneOf(r.has("type") ? "type" : "rope_type", "yarn");
        double fast = r.real("beta_fast", 1e-6, 1e6);
        double slow = r.real("beta_slow", 1e-6, 1e6);
        r.require(fast >= slow, "beta_fast", "at least beta_slow = " + slow);
        return new RotaryParameters(
                qkRopeHeadDim,
                compressRopeTheta,
                r.real("factor", 1, 1e6),
                r.integer("original_max_position_embeddings", 1, Integer.MAX_VALUE),
                fast,
                slow);
    }

    /**
     * Compression ratio of a layer; MTP block {@code k} is layer {@code numHiddenLayers() + k}, and has ratio 0 where
     * the list ends before it.
     */
    public int ratio(int layer) {
        if (layer < 0 || layer >= Math.max(numHiddenLayers + numNextnPredictLayers, compressRatios.length)) {
            throw new IndexOutOfBoundsException(
                    "layer " + layer + " of " + numHiddenLayers + " and " + numNextnPredictLayers + " MTP blocks");
        }
        return layer < compressRatios.length ? compressRatios[layer] : 0;
    }

    /** What a layer attends to. */
    public LayerKind kind(int layer) {
        return LayerKind.of(ratio(layer));
    }

    /** Whether the token id chooses the experts of a layer; never so in MTP blocks. */
    public boolean isHashRouted(int layer) {
        return layer < numHashLayers;
    }

    /** Rotary parameters of everything in a layer (specification 1.3): plain in window layers, YaRN elsewhere. */
    public RotaryParameters rotary(int layer) {
        return ratio(layer) == 0 ? windowRotary : compressedRotary;
    }

    /** Whether the MTP namespace holds a DSpark drafter instead of serial MTP blocks (specification, appendix A.2). */
    public boolean hasDsparkDrafter() {
        return source.has(DSPARK_KEY);
    }

    /** The compression ratios as listed: one per layer, trailing ones of MTP blocks included if given. */
    public int[] compressRatios() {
        return compressRatios.clone();
    }

    /** Distinct compression ratios of the backbone, ascending, without 0. */
    public int[] distinctRatios() {
        return IntStream.range(0, numHiddenLayers)
                .map(this::ratio)
                .filter(r -> r > 0)
                .distinct()
                .sorted()
                .toArray();
    }

    /** How gate logits become scores. */
    public MoeGate.Score score() {
        return score;
    }

    /** Whether routed experts are FP4; otherwise they are FP8 like the other matrices. */
    public boolean fp4Experts() {
        return fp4Experts;
    }

    /** Keys this class does not know, with plain Java values. */
    public Map<String, Object> extra() {
        return Map.copyOf(extra);
    }

    /** Tokens of the vocabulary. */
    public int vocabSize() {
        return vocabSize;
    }

    /** Width {@code d} of one residual stream. */
    public int hiddenSize() {
        return hiddenSize;
    }

    /** Backbone layers, without MTP blocks. */
    public int numHiddenLayers() {
        return numHiddenLayers;
    }

    /** MTP blocks; 0 if there are none. */
    public int numNextnPredictLayers() {
        return numNextnPredictLayers;
    }

    /** Query heads. Keys and values are one head for all. */
    public int numAttentionHeads() {
        return numAttentionHeads;
    }

    /** Width of a head, rotary lanes included. */
    public int headDim() {
        return headDim;
    }

    /** Rotary lanes: the last ones of a head. */
    public int qkRopeHeadDim() {
        return qkRopeHeadDim;
    }

    /** Width of the query latent. */
    public int qLoraRank() {
        return qLoraRank;
    }

    /** Groups of the output projection. */
    public int oGroups() {
        return oGroups;
    }

    /** Output latent width per group. */
    public int oLoraRank() {
        return oLoraRank;
    }

    /** Latest positions that every layer attends to, the current one included. */
    public int slidingWindow() {
        return slidingWindow;
    }

    /** Heads of the lightning indexer. */
    public int indexNHeads() {
        return indexNHeads;
    }

    /** Width of an indexer head. */
    public int indexHeadDim() {
        return indexHeadDim;
    }

    /** Compressed entries that the indexer selects. */
    public int indexTopk() {
        return indexTopk;
    }

    /** Routed experts per layer. */
    public int nRoutedExperts() {
        return nRoutedExperts;
    }

    /** Shared experts, stored as one of that many times the width. */
    public int nSharedExperts() {
        return nSharedExperts;
    }

    /** Routed experts per token. */
    public int numExpertsPerTok() {
        return numExpertsPerTok;
    }

    /** Inner width of one expert. */
    public int moeIntermediateSize() {
        return moeIntermediateSize;
    }

    /** First layers whose experts the token id chooses. */
    public int numHashLayers() {
        return numHashLayers;
    }

    /** Factor on the normalised expert weights. */
    public float routedScalingFactor() {
        return routedScalingFactor;
    }

    /** Clamp of the experts' activations. */
    public float swigluLimit() {
        return swigluLimit;
    }

    /** Residual streams. */
    public int hcMult() {
        return hcMult;
    }

    /** Sinkhorn iterations of the stream mixing. */
    public int hcSinkhornIters() {
        return hcSinkhornIters;
    }

    /** Epsilon of the stream mixing. */
    public float hcEps() {
        return hcEps;
    }

    /** Epsilon of every normalisation. */
    public float rmsNormEps() {
        return rmsNormEps;
    }

    /** Longest context the model was trained for. */
    public int maxPositionEmbeddings() {
        return maxPositionEmbeddings;
    }

    /** Rotary base of window-only layers. */
    public double ropeTheta() {
        return ropeTheta;
    }

    /** Rotary base of layers that compress. */
    public double compressRopeTheta() {
        return compressRopeTheta;
    }

    /** Token that begins a text. */
    public int bosTokenId() {
        return bosTokenId;
    }

    /** Token that ends a text. */
    public int eosTokenId() {
        return eosTokenId;
    }
}
