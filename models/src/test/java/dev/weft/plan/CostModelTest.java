package dev.weft.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CheckpointException;
import dev.weft.RequestException;
import dev.weft.model.config.ModelConfig;
import dev.weft.model.config.ModelInventory;
import dev.weft.plan.CacheFormat.Element;
import dev.weft.plan.ParameterGroup.Kind;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every number of the cost model's sections 2 to 4, to the digit shown. */
class CostModelTest {
    private static final long MILLION = 1_000_000;

    private static final CacheFormat FP8_KEYS = new CacheFormat(Element.FP8, Element.FP8);
    private static final CacheFormat ALL_BF16 = new CacheFormat(Element.BF16, Element.BF16);

    private static Architecture model(String name) {
        return switch (name) {
            case "v3.2" -> Architecture.v32();
            case "flash" -> Architecture.flash();
            default -> Architecture.pro();
        };
    }

    @ParameterizedTest
    @CsvSource({
        "v3.2, 671.88, 685.36, 37.48, 653.91, 689.47, 642.1",
        "flash, 284.33, 290.94, 13.27, 277.03, 159.61, 148.6",
        "pro, 1573.00, 1598.84, 48.85, 1547.40, 864.70, 805.3",
    })
    void parametersAndBytes(
            String name, String main, String all, String active, String experts, String gb, String gib) {
        Architecture a = model(name);
        Shown.equal(main, a.mainParameters() / 1e9, "main stack");
        Shown.equal(all, a.allParameters() / 1e9, "with MTP");
        Shown.equal(active, a.activeParameters() / 1e9, "active");
        Shown.equal(experts, a.count(g -> !g.mtp() && g.kind() == Kind.ROUTED_EXPERTS) / 1e9, "routed experts");
        Shown.equal(gb, a.checkpointBytes() / 1e9, "GB");
        Shown.equal(gib, a.checkpointBytes() / (double) (1 << 30), "GiB");
    }

    @ParameterizedTest
    @CsvSource({
        "flash, 159609485896, 290942289362, 284332240471, 3593787756, 13.800",
        "pro, 864704792696, 1598837347742, 1572997201763, 13956587692, 49.779",
    })
    void publishedTotalsAreExact(String name, long bytes, long all, long main, long mtpBytes, String withEmbedding) {
        Architecture a = model(name);
        assertThat(a.checkpointBytes()).isEqualTo(bytes);
        assertThat(a.allParameters()).isEqualTo(all);
        assertThat(a.mainParameters()).isEqualTo(main);
        assertThat(a.bytes(ParameterGroup::mtp)).isEqualTo(mtpBytes);
        long embedding = a.count(g -> g.kind() == Kind.EMBEDDING);
        Shown.equal(withEmbedding, (a.activeParameters() + embedding) / 1e9, "active with embedding");
    }

    @Test
    void anyConfigurationHasTheBytesOfItsInventory() {
        ModelConfig base = ModelConfig.flash()
                .with(Map.of(
                        "num_hidden_layers", 3,
                        "compress_ratios", List.of(4, 0, 128),
                        "expert_dtype", "fp8",
                        "n_routed_experts", 24,
                        "num_hash_layers", 1,
                        "num_nextn_predict_layers", 2));
        assertThat(Architecture.of(base).checkpointBytes()).isEqualTo(ModelInventory.bytes(ModelInventory.of(base)));
        assertThat(Architecture.of(base).count(g -> g.stored().bits() == 4)).isZero();
    }

    /** The dated build of Flash, whose drafter is DSpark (specification, appendix A). */
    @Test
    void aDsparkDrafterHasThePublishedBytes() {
        List<Integer> ratios = new ArrayList<>();
        for (int r : ModelConfig.flash().compressRatios()) {
            ratios.add(r);
        }
        ratios.addAll(List.of(0, 0));
        Map<String, Object> keys = Map.of(
                "compress_ratios",
                ratios,
                "dspark_block_size",
                5,
                "dspark_markov_rank",
                256,
                "dspark_target_layer_ids",
                List.of(40, 41, 42));
        Architecture a = Architecture.of(ModelConfig.flash().with(keys));
        assertThat(a.checkpointBytes()).isEqualTo(166_878_536_440L);
        assertThat(a.bytes(ParameterGroup::mtp)).isEqualTo(10_862_838_300L);
        assertThat(CostModel.of(a).flops(MILLION))
                .isEqualTo(CostModel.of(Architecture.flash()).flops(MILLION));
        ModelConfig incomplete = ModelConfig.flash().with("dspark_block_size", 5);
        assertThatThrownBy(() -> Architecture.of(incomplete))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining(
                        "found dspark_target_layer_ids null and dspark_markov_rank null, expected a list");
    }

    @ParameterizedTest
    @CsvSource({
        "v3.2, 1146.09, 1146.09, 1109.17, 100.00, 100.00, 100.00, 1.00",
        "pro, 310.25, 371.69, 294.16, 27.07, 32.43, 26.52, 3.69",
        "flash, 116.60, 159.61, 135.16, 10.17, 13.93, 12.19, 9.83",
    })
    void flopsByConvention(
            String name,
            String weighted,
            String indexerAsOne,
            String unweighted,
            String percent,
            String percentAsOne,
            String percentUnweighted,
            String lower) {
        TokenFlops ours = CostModel.of(model(name)).flops(MILLION);
        TokenFlops asOne = CostModel.of(model(name), FP8_KEYS).flops(MILLION);
        TokenFlops base = CostModel.of(Architecture.v32()).flops(MILLION);
        Shown.equal(weighted, ours.equivalentFp8() / 1e9, "GFLOP");
        Shown.equal(indexerAsOne, asOne.equivalentFp8() / 1e9, "indexer counted 1");
        Shown.equal(unweighted, ours.unweighted() / 1e9, "no weighting");
        Shown.equal(percent, 100 * ours.equivalentFp8() / base.equivalentFp8(), "%");
        Shown.equal(percentAsOne, 100 * asOne.equivalentFp8() / base.equivalentFp8(), "% indexer counted 1");
        Shown.equal(percentUnweighted, 100 * ours.unweighted() / base.unweighted(), "% no weighting");
        Shown.equal(lower, base.equivalentFp8() / ours.equivalentFp8(), "times lower");
    }

    @ParameterizedTest
    @CsvSource({"v3.2, 77.07, 999.42, 69.59", "pro, 101.64, 61.44, 147.17", "flash, 28.37, 43.01, 45.22"})
    void partsOfTheFlops(String name, String linear, String indexer, String core) {
        TokenFlops f = CostModel.of(model(name)).flops(MILLION);
        Shown.equal(linear, f.linear() / 1e9, "linear");
        Shown.equal(indexer, f.weightedIndexer() / 1e9, "indexer");
        Shown.equal(core, f.weightedCore() / 1e9, "core");
    }

    @ParameterizedTest
    @CsvSource({"v3.2, 1194.64, 100.00", "pro, 319.41, 26.74", "flash, 120.68, 10.10"})
    void flopsOfABinaryMillion(String name, String gflop, String percent) {
        double ours = CostModel.of(model(name)).flops(1 << 20).equivalentFp8();
        double base = CostModel.of(Architecture.v32()).flops(1 << 20).equivalentFp8();
        Shown.equal(gflop, ours / 1e9, "GFLOP");
        Shown.equal(percent, 100 * ours / base, "%");
    }

    /** What the publisher would report if it counted the first output projection, which its code runs in BF16, as such. */
    @ParameterizedTest
    @CsvSource({"pro, 27.8", "flash, 10.4"})
    void countingTheOutputProjectionAsBf16GivesMoreThanPublished(String name, String percent) {
        ModelConfig c = name.equals("pro") ? ModelConfig.pro() : ModelConfig.flash();
        double wo = (double) c.numHiddenLayers() * c.numAttentionHeads() * c.headDim() * c.oLoraRank();
        double ours = CostModel.of(model(name)).flops(MILLION).equivalentFp8() + 2 * wo;
        Shown.equal(
                percent,
                100 * ours / CostModel.of(Architecture.v32()).flops(MILLION).equivalentFp8(),
                "%");
    }

    @ParameterizedTest
    @CsvSource({
        "v3.2, fp8, fp8, 656, 132",
        "pro, fp8, fp4, 584, 68",
        "pro, fp8, fp8, 584, 132",
        "flash, fp8, fp4, 584, 68",
    })
    void bytesOfAnEntry(String name, String entries, String keys, long entry, long key) {
        CacheLayout cache = model(name).cache();
        assertThat(cache.entryBytes(element(entries))).isEqualTo(entry);
        assertThat(cache.keyBytes(element(keys))).isEqualTo(key);
    }

    private static Element element(String name) {
        return Element.valueOf(name.toUpperCase(Locale.ROOT));
    }

    @ParameterizedTest
    @CsvSource({
        "v3.2, fp8, 48.07, 48068, 100.00, 1.00",
        "pro, fp4, 5.04, 5036, 10.48, 9.54",
        "flash, fp4, 3.52, 3517, 7.32, 13.67",
        "pro, fp8, 5.52, 5516, 11.48, 8.71",
        "flash, fp8, 3.85, 3853, 8.02, 12.47",
    })
    void cacheOfAMillionTokens(String name, String keys, String gb, String perToken, String percent, String smaller) {
        CostModel cost = CostModel.of(model(name), new CacheFormat(Element.FP8, element(keys)));
        double held = cost.heldBytes(MILLION);
        double base = CostModel.of(Architecture.v32()).heldBytes(MILLION);
        Shown.equal(gb, held / 1e9, "GB");
        Shown.equal(perToken, held / MILLION, "bytes per token");
        Shown.equal(percent, 100 * held / base, "%");
        Shown.equal(smaller, base / held, "times smaller");
    }

    @ParameterizedTest
    @CsvSource({"pro, 2.0, 9848, 17.84", "flash, 2.0, 6880, 11.64"})
    void plainCacheBf16CacheAndTail(String name, String percent, long growthPerToken, String tailMib) {
        CostModel cost = CostModel.of(model(name));
        Shown.equal(percent, 100.0 * cost.heldBytes(1 << 20) / cost.plainCacheBytes(1 << 20), "% of grouped-query");
        CostModel wide = CostModel.of(model(name), ALL_BF16);
        assertThat(wide.heldBytes(2 << 20) - wide.heldBytes(1 << 20)).isEqualTo(growthPerToken << 20);
        Shown.equal(tailMib, cost.tailBytes() / (double) (1 << 20), "MiB of tail state");
    }

    @ParameterizedTest
    @CsvSource({
        "1024, 112.9, 46.9, 110.0, 9.3, 31.3, 6.5",
        "8192, 154.9, 375.5, 123.4, 43.7, 33.3, 30.5",
        "65536, 212.2, 3004.2, 134.2, 318.8, 38.1, 222.7",
        "131072, 277.7, 6008.5, 146.5, 633.3, 43.6, 442.3",
        "262144, 408.7, 12017.0, 171.2, 1262.2, 54.6, 881.6",
        "524288, 670.7, 24034.0, 220.6, 2520.1, 76.7, 1760.2",
        "1048576, 1194.6, 48068.0, 319.4, 5035.8, 120.7, 3517.3",
    })
    void byContext(long context, String v32, String v32Mib, String pro, String proMib, String flash, String flashMib) {
        check(Architecture.v32(), context, v32, v32Mib);
        check(Architecture.pro(), context, pro, proMib);
        check(Architecture.flash(), context, flash, flashMib);
    }

    private static void check(Architecture a, long context, String gflop, String mib) {
        CostModel cost = CostModel.of(a);
        Shown.equal(gflop, cost.flops(context).equivalentFp8() / 1e9, a.family() + " GFLOP");
        Shown.equal(mib, cost.heldBytes(context) / (double) (1 << 20), a.family() + " MiB");
    }

    /** Read are all index keys, but of the entries behind them only the selected ones. */
    @Test
    void aTokenReadsLessThanTheCacheHolds() {
        CostModel cost = CostModel.of(Architecture.pro());
        long context = 1 << 20;
        long window = 61 * 128 * 584;
        assertThat(cost.heldBytes(context)).isEqualTo(window + 30 * (context / 4) * 652 + 31 * (context / 128) * 584);
        assertThat(cost.readBytes(context))
                .isEqualTo(window + 30 * ((context / 4) * 68 + 1024 * 584) + 31 * (context / 128) * 584);
        assertThat(cost.readBytes(1000)).isEqualTo(cost.heldBytes(1000));
    }

    @ParameterizedTest
    @CsvSource({"0", "-1", "1099511627777"})
    void contextOutOfRangeIsRefused(long context) {
        CostModel cost = CostModel.of(Architecture.flash());
        assertThatThrownBy(() -> cost.flops(context))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("context: found " + context + ", expected 1 to 1099511627776");
        assertThatThrownBy(() -> cost.heldBytes(context)).isInstanceOf(RequestException.class);
    }

    @Test
    void modelTypeDecidesTheFamily() {
        String v32 = """
                {"model_type": "deepseek_v32", "hidden_size": 256, "vocab_size": 1000, "num_hidden_layers": 2,
                 "first_k_dense_replace": 1, "num_attention_heads": 4, "q_lora_rank": 128, "kv_lora_rank": 128,
                 "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32, "index_n_heads": 2,
                 "index_head_dim": 32, "index_topk": 8, "n_routed_experts": 4, "n_shared_experts": 1,
                 "num_experts_per_tok": 2, "moe_intermediate_size": 128, "intermediate_size": 256,
                 "max_position_embeddings": 4096,
                 "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}""";
        Architecture a = parse(v32, t -> t);
        assertThat(a.family()).isEqualTo("DeepSeek-V3.2");
        // per layer: q_a, q_b, kv_a, kv_b, o, indexer q, key, weights, norms; a dense and an expert layer; both ends
        long attention = 128 * 256 + 4 * 48 * 128 + 144 * 256 + 4 * 64 * 128 + 256 * 128;
        long indexer = 64 * 128 + 32 * 256 + 2 * 256;
        long vectors = 2 * 32 + 2 * 256 + 128 + 128;
        long dense = 3 * 256 * 256;
        long experts = 4 * 256 + 4 + 5 * 3 * 128 * 256;
        assertThat(a.allParameters())
                .isEqualTo(2 * (attention + indexer + vectors) + dense + experts + 2 * 1000 * 256 + 256);
        assertThatThrownBy(() -> parse(v32, t -> t.replace("deepseek_v32", "llama")))
                .isInstanceOf(CheckpointException.class)
                .hasMessage("config: model_type: found \"llama\", expected \"deepseek_v4\" or \"deepseek_v32\"");
        assertThatThrownBy(() -> parse(v32, t -> t.replace("\"index_topk\": 8", "\"index_topk\": 0")))
                .hasMessageContaining("config: index_topk: found 0, expected an integer of 1 to");
    }

    /** Absurd sizes end in an exception at once, not in a list of all their tensors. */
    @Test
    void sizesBeyondBytesAreRefused() {
        ModelConfig absurd = ModelConfig.flash()
                .with(Map.of("moe_intermediate_size", 1 << 20, "hidden_size", 1 << 20, "n_routed_experts", 1 << 16));
        assertThatThrownBy(() -> Architecture.of(absurd))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("beyond 2^63 bytes");
    }

    private static Architecture parse(String json, UnaryOperator<String> change) {
        return Architecture.parse(change.apply(json).getBytes(StandardCharsets.UTF_8), "config");
    }
}
