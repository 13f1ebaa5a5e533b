package dev.weft.plan;

import dev.weft.CheckpointException;
import dev.weft.DType;
import dev.weft.io.support.ConfigReader;
import dev.weft.io.support.StrictJson;
import dev.weft.plan.CacheFormat.Element;
import dev.weft.plan.ParameterGroup.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Collections;
import java.util.List;

/**
 * DeepSeek-V3.2 as an {@link Architecture}: latent attention over the entries that an indexer selects. Weights are FP8 with
 * one F32 scale per 128 x 128 block; embedding, head, router, index weights and the projection before the MTP block are
 * BF16. The MTP block has an embedding and a head of its own.
 */
final class V32Architecture {
    static final String MODEL_TYPE = "deepseek_v32";

    private static final int MAX_WIDTH = 1 << 20;
    private static final int MAX_COUNT = 1 << 16;
    private static final int MAX_LAYERS = 4096;
    private static final int MAX_VOCABULARY = 1 << 24;
    private static final int BLOCK = 128;

    private final ParameterTally tally;
    private final int hidden;
    private final int vocabulary;
    private final int layers;
    private final int dense;
    private final int mtpBlocks;
    private final int heads;
    private final int queryRank;
    private final int latent;
    private final int nope;
    private final int rope;
    private final int value;
    private final int indexHeads;
    private final int indexLanes;
    private final int topK;
    private final int experts;
    private final int shared;
    private final int active;
    private final int inner;
    private final int denseInner;
    private final int maxContext;

    private V32Architecture(byte[] json, String subject) {
        ConfigReader c = new ConfigReader(subject, StrictJson.object(json, subject));
        tally = new ParameterTally(subject);
        c.oneOf("model_type", MODEL_TYPE);
        c.only("tie_word_embeddings", false);
        c.only("attention_bias", false);
        c.only("moe_layer_freq", 1);
        hidden = c.integer("hidden_size", 1, MAX_WIDTH);
        vocabulary = c.integer("vocab_size", 1, MAX_VOCABULARY);
        layers = c.integer("num_hidden_layers", 1, MAX_LAYERS);
        dense = c.integer("first_k_dense_replace", 0, layers);
        mtpBlocks = c.integer("num_nextn_predict_layers", 0, 64, 0);
        heads = c.integer("num_attention_heads", 1, MAX_COUNT);
        queryRank = c.integer("q_lora_rank", 1, MAX_WIDTH);
        latent = c.integer("kv_lora_rank", 1, MAX_COUNT);
        nope = c.integer("qk_nope_head_dim", 1, MAX_COUNT);
        rope = c.integer("qk_rope_head_dim", 1, MAX_COUNT);
        value = c.integer("v_head_dim", 1, MAX_COUNT);
        indexHeads = c.integer("index_n_heads", 1, MAX_COUNT);
        indexLanes = c.integer("index_head_dim", 1, MAX_COUNT);
        topK = c.integer("index_topk", 1, MAX_WIDTH);
        experts = c.integer("n_routed_experts", 1, MAX_COUNT);
        shared = c.integer("n_shared_experts", 0, 64);
        active = c.integer("num_experts_per_tok", 1, experts);
        inner = c.integer("moe_intermediate_size", 1, MAX_WIDTH);
        denseInner = c.integer("intermediate_size", 1, MAX_WIDTH);
        maxContext = c.integer("max_position_embeddings", 1, Integer.MAX_VALUE);
        ConfigReader q = c.section("quantization_config");
        q.oneOf("quant_method", "fp8");
        q.only("weight_block_size", List.of(BLOCK, BLOCK));
    }

    /** @throws CheckpointException if a value is missing, wrong or contradicts another */
    static Architecture parse(byte[] json, String subject) {
        return new V32Architecture(json, subject).build();
    }

    static Architecture published() {
        try (InputStream in = V32Architecture.class.getResourceAsStream("v3.2.json")) {
            if (in == null) {
                throw new CheckpointException("v3.2.json: is missing from the library");
            }
            return parse(in.readAllBytes(), "v3.2.json");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Architecture build() {
        for (int i = 0; i < layers; i++) {
            layer(false, i < dense);
        }
        ends(false);
        for (int k = 0; k < mtpBlocks; k++) {
            layer(true, false);
            bf16(Kind.MTP_PROJECTIONS, true, hidden, 2L * hidden);
            add(Kind.VECTORS, true, DType.BF16, false, 2L * hidden);
            ends(true);
        }
        AttentionLayer each =
                new AttentionLayer("DSA", 0, 1, topK, heads, latent + rope, latent, (long) indexHeads * indexLanes, 0);
        return new Architecture(
                "DeepSeek-V3.2",
                hidden,
                Collections.nCopies(layers, each),
                layers - dense,
                mtpBlocks,
                experts,
                active,
                inner,
                heads,
                "heads",
                maxContext,
                new CacheLayout(latent, rope, Float.BYTES * ((latent + BLOCK - 1) / BLOCK), indexLanes),
                new CacheFormat(Element.FP8, Element.FP8),
                tally.groups(),
                null);
    }

    private void layer(boolean mtp, boolean isDense) {
        fp8(Kind.ATTENTION, mtp, queryRank, hidden);
        fp8(Kind.ATTENTION, mtp, (long) heads * (nope + rope), queryRank);
        fp8(Kind.ATTENTION, mtp, latent + rope, hidden);
        fp8(Kind.ATTENTION, mtp, (long) heads * (nope + value), latent);
        fp8(Kind.ATTENTION, mtp, hidden, (long) heads * value);
        fp8(Kind.INDEXER, mtp, (long) indexHeads * indexLanes, queryRank);
        fp8(Kind.INDEXER, mtp, indexLanes, hidden);
        bf16(Kind.INDEXER, mtp, indexHeads, hidden);
        add(Kind.VECTORS, mtp, DType.F32, false, 2L * indexLanes);
        add(Kind.VECTORS, mtp, DType.BF16, false, 2L * hidden + queryRank + latent);
        if (isDense) {
            feedForward(Kind.DENSE_FFN, mtp, denseInner, 1);
            return;
        }
        bf16(Kind.ROUTER, mtp, experts, hidden);
        add(Kind.ROUTER, mtp, DType.F32, false, experts);
        feedForward(Kind.ROUTED_EXPERTS, mtp, inner, experts);
        feedForward(Kind.SHARED_EXPERTS, mtp, (long) inner * shared, 1);
    }

    private void feedForward(Kind kind, boolean mtp, long width, int copies) {
        long parameters = width * hidden;
        tally.add(kind, mtp, DType.F8_E4M3, true, 3L * copies, parameters, fp8Bytes(width, hidden));
    }

    /** Embedding, last norm, head. */
    private void ends(boolean mtp) {
        add(Kind.EMBEDDING, mtp, DType.BF16, false, (long) vocabulary * hidden);
        add(Kind.VECTORS, mtp, DType.BF16, false, hidden);
        bf16(Kind.HEAD, mtp, vocabulary, hidden);
    }

    private void fp8(Kind kind, boolean mtp, long rows, long columns) {
        tally.add(kind, mtp, DType.F8_E4M3, true, 1, rows * columns, fp8Bytes(rows, columns));
    }

    private static long fp8Bytes(long rows, long columns) {
        long blocks = (rows + BLOCK - 1) / BLOCK * ((columns + BLOCK - 1) / BLOCK);
        return rows * columns + blocks * Float.BYTES;
    }

    private void bf16(Kind kind, boolean mtp, long rows, long columns) {
        add(kind, mtp, DType.BF16, true, rows * columns);
    }

    private void add(Kind kind, boolean mtp, DType stored, boolean multiplied, long parameters) {
        tally.add(kind, mtp, stored, multiplied, 1, parameters, stored.bytes(parameters));
    }
}
