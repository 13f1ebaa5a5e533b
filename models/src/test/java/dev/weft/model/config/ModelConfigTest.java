package dev.weft.model.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.weft.CheckpointException;
import dev.weft.op.MoeGate;
import dev.weft.op.RotaryParameters;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelConfigTest {
    @TempDir
    Path folder;

    @Test
    void flashIsScheduledAsPublished() {
        ModelConfig c = ModelConfig.flash();
        assertThat(c.kind(0)).isEqualTo(LayerKind.WINDOW);
        assertThat(c.kind(1)).isEqualTo(LayerKind.WINDOW);
        assertThat(count(c, LayerKind.CSA)).isEqualTo(21);
        assertThat(count(c, LayerKind.HCA)).isEqualTo(20);
        assertThat(c.kind(43)).isEqualTo(LayerKind.WINDOW);
        assertThat(IntStream.range(0, 44).filter(c::isHashRouted)).containsExactly(0, 1, 2);
        assertThat(c.distinctRatios()).containsExactly(4, 128);
        assertThat(c.fp4Experts()).isTrue();
        assertThat(c.score()).isEqualTo(MoeGate.Score.SQRT_SOFTPLUS);
        assertThat(c.extra()).isEmpty();
        assertThatThrownBy(() -> c.ratio(44)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void proIsScheduledAsPublished() {
        ModelConfig c = ModelConfig.pro();
        assertThat(c.kind(0)).isEqualTo(LayerKind.HCA);
        assertThat(count(c, LayerKind.CSA)).isEqualTo(30);
        assertThat(count(c, LayerKind.HCA)).isEqualTo(31);
        assertThat(c.kind(61)).isEqualTo(LayerKind.WINDOW);
        assertThat(c.indexTopk()).isEqualTo(1024);
        assertThat(c.routedScalingFactor()).isEqualTo(2.5f);
    }

    private static long count(ModelConfig c, LayerKind kind) {
        return IntStream.range(0, c.numHiddenLayers())
                .filter(i -> c.kind(i) == kind)
                .count();
    }

    @Test
    void rotaryFollowsTheKindOfTheLayer() {
        ModelConfig c = ModelConfig.flash();
        assertThat(c.rotary(0)).isEqualTo(RotaryParameters.plain(64, 10_000));
        assertThat(c.rotary(43)).isEqualTo(RotaryParameters.plain(64, 10_000));
        RotaryParameters yarn = new RotaryParameters(64, 160_000, 16, 65_536, 32, 1);
        assertThat(c.rotary(2)).isEqualTo(yarn);
        assertThat(c.rotary(3)).isEqualTo(yarn);
    }

    @Test
    void ratiosMayEndBeforeTheMtpBlockAndGoOnForDspark() {
        List<Integer> listed =
                Arrays.stream(ModelConfig.flash().compressRatios()).boxed().toList();
        ModelConfig shorter = ModelConfig.flash().with("compress_ratios", listed.subList(0, 43));
        assertThat(shorter.kind(43)).isEqualTo(LayerKind.WINDOW);
        List<Integer> longer = Stream.concat(listed.stream(), Stream.of(0, 0)).toList();
        ModelConfig dspark = ModelConfig.flash()
                .with(Map.of(
                        "compress_ratios",
                        longer,
                        "dspark_block_size",
                        5,
                        "dspark_target_layer_ids",
                        List.of(40, 41, 42)));
        assertThat(dspark.hasDsparkDrafter()).isTrue();
        assertThat(dspark.extra())
                .containsEntry("dspark_block_size", 5)
                .containsEntry("dspark_target_layer_ids", List.of(40, 41, 42));
    }

    @Test
    void missingExpertDtypeMeansFp8() {
        String json = ModelConfig.flash().toJson().replace("\"expert_dtype\" : \"fp4\",", "");
        assertThat(parse(json).fp4Experts()).isFalse();
    }

    @Test
    void writtenConfigurationReadsBack() throws IOException {
        Path file = folder.resolve("config.json");
        ModelConfig c = ModelConfig.pro().with("another_key", Map.of("deep", List.of(1, "x")));
        Files.writeString(file, c.toJson());
        ModelConfig read = ModelConfig.read(file);
        assertThat(read.toJson()).isEqualTo(c.toJson());
        assertThat(read.extra()).containsEntry("another_key", Map.of("deep", List.of(1, "x")));
    }

    /** Key, value, what the message must say. */
    static Stream<Arguments> wrongValues() {
        return Stream.of(
                arguments("num_hidden_layers", -1, "num_hidden_layers: found -1, expected an integer of 1 to"),
                arguments("num_hidden_layers", 0, "num_hidden_layers: found 0"),
                arguments("num_hidden_layers", 45, "compress_ratios"),
                arguments("num_hidden_layers", 1L << 40, "num_hidden_layers: found 1099511627776"),
                arguments("num_hidden_layers", 43.5, "num_hidden_layers: found 43.5"),
                arguments("num_hidden_layers", "43", "num_hidden_layers: found \"43\", expected an integer"),
                arguments("num_hidden_layers", List.of(43), "num_hidden_layers: found [43]"),
                arguments("num_hidden_layers", true, "num_hidden_layers: found true"),
                arguments("hidden_size", 4097, "hidden_size: found 4097, expected a multiple of 128"),
                arguments("hidden_size", Integer.MAX_VALUE, "hidden_size: found 2147483647"),
                arguments("vocab_size", -5, "vocab_size: found -5"),
                arguments("n_routed_experts", 1 << 30, "n_routed_experts: found 1073741824"),
                arguments(
                        "num_experts_per_tok",
                        257,
                        "num_experts_per_tok: found 257, expected at most n_routed_experts"),
                arguments("num_experts_per_tok", 0, "num_experts_per_tok: found 0"),
                arguments("num_key_value_heads", 8, "num_key_value_heads: found 8, expected 1"),
                arguments(
                        "num_attention_heads", 63, "o_groups: found 8, expected a divisor of num_attention_heads = 63"),
                arguments("o_groups", 0, "o_groups: found 0"),
                arguments("o_lora_rank", 7, "o_lora_rank: found 7"),
                arguments("qk_rope_head_dim", 63, "qk_rope_head_dim: found 63, expected an even number"),
                arguments("qk_rope_head_dim", 512, "head_dim: found 512, expected more than qk_rope_head_dim = 512"),
                arguments("head_dim", 500, "head_dim: found 500, expected qk_rope_head_dim = 64 plus a multiple of 64"),
                arguments("index_head_dim", 96, "index_head_dim: found 96, expected a power of two"),
                arguments("index_head_dim", 32, "index_head_dim: found 32, expected at least qk_rope_head_dim"),
                arguments("index_topk", 0, "index_topk: found 0"),
                arguments("sliding_window", 0, "sliding_window: found 0, expected an integer of 1"),
                arguments("num_hash_layers", 44, "num_hash_layers: found 44, expected at most num_hidden_layers = 43"),
                arguments("compress_ratios", List.of(0, 4), "expected 43 entries, or with those of the MTP blocks 44"),
                arguments("compress_ratios", List.of(), "there are 0"),
                arguments("compress_ratios", nCopies(46), "there are 46"),
                arguments("compress_ratios", replaced(-4), "compress_ratios[7]: found -4"),
                arguments("compress_ratios", replaced("4"), "compress_ratios[7]: found \"4\""),
                arguments("compress_ratios", 4, "compress_ratios: found 4, expected a list of integers"),
                arguments("rope_theta", 0, "rope_theta: found 0"),
                arguments("rope_theta", Double.NaN, "rope_theta: found"),
                arguments("rms_norm_eps", 0, "rms_norm_eps: found 0"),
                arguments("routed_scaling_factor", "x", "routed_scaling_factor: found \"x\""),
                arguments("swiglu_limit", -1, "swiglu_limit: found -1"),
                arguments("hc_mult", 0, "hc_mult: found 0"),
                arguments("hc_sinkhorn_iters", 1_000_000_000, "hc_sinkhorn_iters: found 1000000000"),
                arguments("eos_token_id", 129_280, "eos_token_id: found 129280, expected an integer of 0 to 129279"),
                arguments("model_type", "llama", "model_type: found \"llama\", expected one of [deepseek_v4]"),
                arguments("architectures", List.of("LlamaForCausalLM"), "architectures: found [\"LlamaForCausalLM\"]"),
                arguments("scoring_func", "relu", "scoring_func: found \"relu\", expected one of [sqrtsoftplus"),
                arguments("topk_method", "greedy", "topk_method: found \"greedy\", expected noaux_tc"),
                arguments("norm_topk_prob", false, "norm_topk_prob: found false"),
                arguments("hidden_act", "gelu", "hidden_act: found \"gelu\""),
                arguments("attention_bias", true, "attention_bias: found true"),
                arguments("tie_word_embeddings", true, "tie_word_embeddings: found true"),
                arguments("expert_dtype", "int4", "expert_dtype: found \"int4\", expected one of [fp4, fp8]"),
                arguments("rope_scaling", List.of(), "rope_scaling: found [], expected an object"),
                arguments("rope_scaling", rope("factor", Double.NaN), "rope_scaling.factor: found"),
                arguments(
                        "rope_scaling", rope("factor", 0.5), "rope_scaling.factor: found 0.5, expected a number of 1"),
                arguments("rope_scaling", rope("type", "linear"), "rope_scaling.type: found \"linear\""),
                arguments(
                        "rope_scaling", rope("beta_fast", 0.5), "rope_scaling.beta_fast: found 0.5, expected at least"),
                arguments("rope_scaling", rope("original_max_position_embeddings", 0), "_embeddings: found 0"),
                arguments("quantization_config", Map.of(), "quantization_config.quant_method is missing"),
                arguments("quantization_config", quantised("scale_fmt", "float"), "scale_fmt: found \"float\""),
                arguments("quantization_config", quantised("quant_method", "awq"), "quant_method: found \"awq\""),
                arguments(
                        "quantization_config",
                        quantised("weight_block_size", List.of(64, 64)),
                        "weight_block_size: found [64,64], expected [128, 128]"));
    }

    private static List<Integer> nCopies(int n) {
        return Collections.nCopies(n, 0);
    }

    private static List<Object> replaced(Object value) {
        List<Object> ratios = new ArrayList<>(nCopies(43));
        ratios.set(7, value);
        return ratios;
    }

    private static Map<String, Object> rope(String key, Object value) {
        Map<String, Object> m = new HashMap<>(Map.of(
                "type",
                "yarn",
                "factor",
                16,
                "original_max_position_embeddings",
                65_536,
                "beta_fast",
                32,
                "beta_slow",
                1));
        m.put(key, value);
        return m;
    }

    private static Map<String, Object> quantised(String key, Object value) {
        Map<String, Object> m = new HashMap<>(
                Map.of("quant_method", "fp8", "scale_fmt", "ue8m0", "weight_block_size", List.of(128, 128)));
        m.put(key, value);
        return m;
    }

    @ParameterizedTest(name = "{0} = {1}")
    @MethodSource("wrongValues")
    void wrongValueIsRefused(String key, Object value, String message) {
        assertThatThrownBy(() -> ModelConfig.flash().with(key, value))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "model_type",
                "vocab_size",
                "hidden_size",
                "num_hidden_layers",
                "num_attention_heads",
                "head_dim",
                "qk_rope_head_dim",
                "q_lora_rank",
                "o_groups",
                "o_lora_rank",
                "sliding_window",
                "compress_ratios",
                "compress_rope_theta",
                "rope_theta",
                "rope_scaling",
                "max_position_embeddings",
                "index_n_heads",
                "index_head_dim",
                "index_topk",
                "n_routed_experts",
                "n_shared_experts",
                "num_experts_per_tok",
                "moe_intermediate_size",
                "scoring_func",
                "routed_scaling_factor",
                "swiglu_limit",
                "hc_mult",
                "hc_sinkhorn_iters",
                "hc_eps",
                "rms_norm_eps",
                "quantization_config"
            })
    void missingFieldIsNamed(String key) {
        String json = ModelConfig.flash().toJson().replace("\"" + key + "\" :", "\"absent\" :");
        assertThatThrownBy(() -> parse(json))
                .isInstanceOf(CheckpointException.class)
                .hasMessage("config.json: " + key + " is missing");
    }

    /** Name of the damage, text of the file, what the message must say. */
    static Stream<Arguments> damagedFiles() {
        String good = ModelConfig.flash().toJson();
        return Stream.of(
                arguments("empty", "", "expected a JSON object"),
                arguments("list", "[]", "expected a JSON object, found ARRAY"),
                arguments("null", "null", "expected a JSON object"),
                arguments("truncated", good.substring(0, 100), "is not valid JSON"),
                arguments("trailing text", good + "{}", "Trailing token"),
                arguments("duplicate key", good.replace("\"hc_mult\"", "\"vocab_size\""), "Duplicate"),
                arguments("deep nesting", "{\"a\":" + "[".repeat(100_000), "is not valid JSON"),
                arguments(
                        "NaN literal",
                        good.replaceAll("\"factor\" : 16", "\"factor\" : NaN"),
                        "rope_scaling.factor: found"),
                arguments(
                        "number of 100k digits",
                        good.replaceAll("\"head_dim\" : 512", "\"head_dim\" : " + "9".repeat(100_000)),
                        "is not valid JSON"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("damagedFiles")
    void damagedFileIsRefused(String damage, String text, String message) throws IOException {
        Path file = folder.resolve("config.json");
        Files.writeString(file, text);
        assertThatThrownBy(() -> ModelConfig.read(file))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("config.json")
                .hasMessageContaining(message);
    }

    @Test
    void whatIsNotAFileIsRefused() {
        assertThatThrownBy(() -> ModelConfig.read(folder))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("is a directory");
        assertThatThrownBy(() -> ModelConfig.read(folder.resolve("absent")))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("does not exist");
    }

    private static ModelConfig parse(String json) {
        return ModelConfig.parse(json.getBytes(StandardCharsets.UTF_8), "config.json");
    }
}
