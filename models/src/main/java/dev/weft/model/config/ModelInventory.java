package dev.weft.model.config;

import dev.weft.CheckpointException;
import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.io.support.StrictJson;
import dev.weft.model.config.StoredTensor.Role;
import java.util.ArrayList;
import java.util.List;

/**
 * Every tensor that a checkpoint of a configuration has, with stored dtype and shape (specification 2.2). A quantised
 * matrix is followed by its scales. Published totals are reproduced to the byte (2.3).
 */
public final class ModelInventory {
    private static final String DSPARK_TARGETS = "dspark_target_layer_ids";
    private static final String DSPARK_RANK = "dspark_markov_rank";

    private final ModelConfig c;
    private final long d;
    private final int listedExperts;
    private final List<StoredTensor> tensors = new ArrayList<>();

    private ModelInventory(ModelConfig config, int listedExperts) {
        this.c = config;
        this.d = config.hiddenSize();
        this.listedExperts = listedExperts;
    }

    /**
     * The tensors of a checkpoint, backbone first.
     *
     * @throws CheckpointException if the MTP namespace holds a DSpark drafter, whose tensor names are not published
     */
    public static List<StoredTensor> of(ModelConfig config) {
        if (config.hasDsparkDrafter()) {
            throw new CheckpointException(
                    "inventory: expected serial MTP blocks, found a DSpark drafter (dspark_block_size), whose tensor"
                            + " names are not published");
        }
        return new ModelInventory(config, config.nRoutedExperts()).list();
    }

    /**
     * As {@link #of}, but for sums: of the routed experts of a layer only number 0, whose tensors all the others have too,
     * and a DSpark drafter under names of our own. Sizes are right (specification, appendix A.2).
     *
     * @throws CheckpointException if the keys of a DSpark drafter are missing or wrong
     */
    public static List<StoredTensor> withOneExpert(ModelConfig config) {
        return new ModelInventory(config, 1).list();
    }

    /** Bytes of all tensors. */
    public static long bytes(List<StoredTensor> tensors) {
        return tensors.stream().mapToLong(StoredTensor::bytes).sum();
    }

    private List<StoredTensor> list() {
        add("embed.weight", DType.BF16, Role.MATRIX, c.vocabSize(), d);
        for (int i = 0; i < c.numHiddenLayers(); i++) {
            layer("layers." + i + ".", i);
        }
        hyperHead("");
        norm("norm.weight", d);
        add("head.weight", DType.BF16, Role.MATRIX, c.vocabSize(), d);
        if (c.hasDsparkDrafter()) {
            drafter();
        } else {
            for (int k = 0; k < c.numNextnPredictLayers(); k++) {
                mtp("mtp." + k + ".", c.numHiddenLayers() + k);
            }
        }
        return List.copyOf(tensors);
    }

    private void mtp(String prefix, int index) {
        fp8(prefix + "e_proj", d, d);
        fp8(prefix + "h_proj", d, d);
        norm(prefix + "enorm.weight", d);
        norm(prefix + "hnorm.weight", d);
        layer(prefix, index);
        hyperHead(prefix);
        norm(prefix + "norm.weight", d);
    }

    private void drafter() {
        Object targets = c.extra().get(DSPARK_TARGETS);
        Object rank = c.extra().get(DSPARK_RANK);
        if (!(targets instanceof List<?> layers && !layers.isEmpty() && rank instanceof Integer r && r > 0)) {
            throw new CheckpointException("inventory of a DSpark drafter: found " + DSPARK_TARGETS + " "
                    + StrictJson.shortened(targets + " and " + DSPARK_RANK + " " + rank)
                    + ", expected a list of layers and a width");
        }
        for (int k = 0; k < ModelConfig.DSPARK_BLOCKS; k++) {
            layer("mtp." + k + ".", c.numHiddenLayers() + k);
        }
        fp8("mtp.0.main_proj", d, layers.size() * d);
        norm("mtp.0.main_norm.weight", d);
        String last = "mtp." + (ModelConfig.DSPARK_BLOCKS - 1) + ".";
        norm(last + "norm.weight", d);
        hyperHead(last);
        add(last + "markov_head.markov_w1", DType.BF16, Role.MATRIX, c.vocabSize(), r);
        add(last + "markov_head.markov_w2", DType.BF16, Role.MATRIX, c.vocabSize(), r);
        add(last + "confidence_head.proj", DType.BF16, Role.MATRIX, 1, d + r);
    }

    private void layer(String prefix, int index) {
        norm(prefix + "attn_norm.weight", d);
        norm(prefix + "ffn_norm.weight", d);
        hyper(prefix + "hc_attn");
        hyper(prefix + "hc_ffn");
        attention(prefix + "attn.", index);
        experts(prefix + "ffn.", index);
    }

    private void hyper(String prefix) {
        long h = c.hcMult();
        add(prefix + "_fn", DType.F32, Role.MATRIX, (2 + h) * h, h * d);
        add(prefix + "_base", DType.F32, Role.HYPER_BASE, (2 + h) * h);
        add(prefix + "_scale", DType.F32, Role.HYPER_SCALE, 3);
    }

    private void hyperHead(String prefix) {
        long h = c.hcMult();
        add(prefix + "hc_head_fn", DType.F32, Role.MATRIX, h, h * d);
        add(prefix + "hc_head_base", DType.F32, Role.HYPER_BASE, h);
        add(prefix + "hc_head_scale", DType.F32, Role.HYPER_SCALE, 1);
    }

    private void attention(String prefix, int index) {
        long heads = c.numAttentionHeads();
        long width = c.headDim();
        long rank = c.qLoraRank();
        long latent = (long) c.oGroups() * c.oLoraRank();
        add(prefix + "attn_sink", DType.F32, Role.SINK, heads);
        fp8(prefix + "wq_a", rank, d);
        norm(prefix + "q_norm.weight", rank);
        fp8(prefix + "wq_b", heads * width, rank);
        fp8(prefix + "wkv", width, d);
        norm(prefix + "kv_norm.weight", width);
        fp8(prefix + "wo_a", latent, heads * width / c.oGroups());
        fp8(prefix + "wo_b", d, latent);
        boolean drafts = c.hasDsparkDrafter() && index >= c.numHiddenLayers();
        LayerKind kind = drafts ? LayerKind.WINDOW : c.kind(index);
        if (kind != LayerKind.WINDOW) {
            compressor(prefix + "compressor.", c.ratio(index), kind, width);
        }
        if (kind == LayerKind.CSA) {
            fp8(prefix + "indexer.wq_b", (long) c.indexNHeads() * c.indexHeadDim(), rank);
            add(prefix + "indexer.weights_proj.weight", DType.BF16, Role.MATRIX, c.indexNHeads(), d);
            compressor(prefix + "indexer.compressor.", c.ratio(index), kind, c.indexHeadDim());
        }
    }

    /** Overlapping compressors carry two sets of lanes: one for their own block, one for the next. */
    private void compressor(String prefix, int ratio, LayerKind kind, long width) {
        long lanes = kind == LayerKind.CSA ? 2 * width : width;
        add(prefix + "ape", DType.F32, Role.MATRIX, ratio, lanes);
        add(prefix + "wkv.weight", DType.BF16, Role.MATRIX, lanes, d);
        add(prefix + "wgate.weight", DType.BF16, Role.MATRIX, lanes, d);
        norm(prefix + "norm.weight", width);
    }

    private void experts(String prefix, int index) {
        long inner = c.moeIntermediateSize();
        add(prefix + "gate.weight", DType.BF16, Role.MATRIX, c.nRoutedExperts(), d);
        if (c.isHashRouted(index)) {
            add(prefix + "gate.tid2eid", DType.I64, Role.EXPERT_TABLE, c.vocabSize(), c.numExpertsPerTok());
        } else {
            add(prefix + "gate.bias", DType.F32, Role.GATE_BIAS, c.nRoutedExperts());
        }
        for (int e = 0; e < listedExperts; e++) {
            String expert = prefix + "experts." + e + ".";
            routed(expert + "w1", inner, d);
            routed(expert + "w2", d, inner);
            routed(expert + "w3", inner, d);
        }
        long shared = inner * c.nSharedExperts();
        fp8(prefix + "shared_experts.w1", shared, d);
        fp8(prefix + "shared_experts.w2", d, shared);
        fp8(prefix + "shared_experts.w3", shared, d);
    }

    private void routed(String name, long rows, long columns) {
        if (c.fp4Experts()) {
            add(name + ".weight", DType.I8, Role.QUANTISED, rows, columns / 2);
            add(name + ".scale", DType.F8_E8M0, Role.SCALE, Scaling.MXFP4.scaleDims(new long[] {rows, columns}));
        } else {
            fp8(name, rows, columns);
        }
    }

    private void fp8(String name, long rows, long columns) {
        add(name + ".weight", DType.F8_E4M3, Role.QUANTISED, rows, columns);
        add(name + ".scale", DType.F8_E8M0, Role.SCALE, Scaling.FP8_BLOCK_128.scaleDims(new long[] {rows, columns}));
    }

    private void norm(String name, long width) {
        add(name, DType.BF16, Role.NORM, width);
    }

    private void add(String name, DType dtype, Role role, long... shape) {
        tensors.add(new StoredTensor(name, dtype, shape, role));
    }
}
