package dev.weft.plan;

import dev.weft.DType;
import dev.weft.Shape;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.model.config.ModelInventory;
import dev.weft.model.config.StoredTensor;
import dev.weft.model.config.StoredTensor.Role;
import dev.weft.plan.CacheFormat.Element;
import dev.weft.plan.ParameterGroup.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** DeepSeek-V4 as an {@link Architecture}: the tensors of {@link ModelInventory}, sorted by what they do. */
final class V4Architecture {
    /** Cached lanes that share a scale byte; the scales of an entry are padded to the alignment. */
    private static final int SCALE_BLOCK = 64;

    private static final int SCALE_ALIGNMENT = 8;

    private V4Architecture() {}

    static Architecture of(ModelConfig c) {
        int latent = c.headDim() - c.qkRopeHeadDim();
        int scales = (latent + SCALE_BLOCK - 1) / SCALE_BLOCK;
        int padded = (scales + SCALE_ALIGNMENT - 1) / SCALE_ALIGNMENT * SCALE_ALIGNMENT;
        return new Architecture(
                "DeepSeek-V4",
                c.hiddenSize(),
                layers(c),
                c.numHiddenLayers(),
                c.numNextnPredictLayers(),
                c.nRoutedExperts(),
                c.numExpertsPerTok(),
                c.moeIntermediateSize(),
                c.oGroups(),
                "output groups",
                c.maxPositionEmbeddings(),
                new CacheLayout(latent, c.qkRopeHeadDim(), padded, c.indexHeadDim()),
                new CacheFormat(Element.FP8, Element.FP4),
                parameters(c),
                c);
    }

    private static List<AttentionLayer> layers(ModelConfig c) {
        List<AttentionLayer> layers = new ArrayList<>();
        for (int i = 0; i < c.numHiddenLayers(); i++) {
            LayerKind kind = c.kind(i);
            boolean indexed = kind == LayerKind.CSA;
            int ratio = c.ratio(i);
            layers.add(new AttentionLayer(
                    kind == LayerKind.WINDOW ? kind.name().toLowerCase(Locale.ROOT) : kind.name(),
                    c.slidingWindow(),
                    ratio,
                    indexed ? c.indexTopk() : 0,
                    c.numAttentionHeads(),
                    c.headDim(),
                    c.headDim(),
                    indexed ? (long) c.indexNHeads() * c.indexHeadDim() : 0,
                    tail(ratio, c.headDim(), indexed) + (indexed ? tail(ratio, c.indexHeadDim(), true) : 0)));
        }
        return layers;
    }

    /** Two F32 rows, value and gate, per pending token; overlapping compressors keep twice the lanes and the slots. */
    private static long tail(long ratio, int width, boolean overlapping) {
        int c = overlapping ? 2 : 1;
        return 2 * Float.BYTES * (c * width) * (c * ratio);
    }

    private static List<ParameterGroup> parameters(ModelConfig c) {
        ParameterTally tally = new ParameterTally("config");
        DType quantised = DType.F8_E4M3;
        for (StoredTensor t : ModelInventory.withOneExpert(c)) {
            boolean scale = t.role() == Role.SCALE;
            boolean packed = t.dtype() == DType.I8;
            if (!scale) {
                quantised = packed ? DType.F4_E2M1 : t.dtype();
            }
            Kind kind = kind(t);
            long elements = Shape.elements(t.shape());
            tally.add(
                    kind,
                    t.name().startsWith("mtp."),
                    quantised, // of scales: the format of the matrix before them
                    scale || multiplied(t, kind),
                    kind == Kind.ROUTED_EXPERTS ? c.nRoutedExperts() : 1,
                    scale || kind == Kind.HASH_TABLE ? 0 : packed ? 2 * elements : elements,
                    t.bytes());
        }
        return tally.groups();
    }

    private static boolean multiplied(StoredTensor t, Kind kind) {
        boolean matrix = t.role() == Role.MATRIX || t.role() == Role.QUANTISED;
        return matrix && kind != Kind.EMBEDDING && !t.name().endsWith(".ape");
    }

    /** By the published names (specification 2.2). */
    private static Kind kind(StoredTensor t) {
        String name = t.name();
        return switch (t.role()) {
            case NORM, SINK -> Kind.VECTORS;
            case HYPER_SCALE, HYPER_BASE -> Kind.HYPER_CONNECTIONS;
            case GATE_BIAS -> Kind.ROUTER;
            case EXPERT_TABLE -> Kind.HASH_TABLE;
            case MATRIX, QUANTISED, SCALE -> {
                if (name.equals("embed.weight")) {
                    yield Kind.EMBEDDING;
                }
                if (name.equals("head.weight")) {
                    yield Kind.HEAD;
                }
                if (name.contains(".ffn.shared_experts.")) {
                    yield Kind.SHARED_EXPERTS;
                }
                if (name.contains(".ffn.experts.")) {
                    yield Kind.ROUTED_EXPERTS;
                }
                if (name.contains(".ffn.gate.")) {
                    yield Kind.ROUTER;
                }
                if (name.contains(".indexer.")) {
                    yield Kind.INDEXER;
                }
                if (name.contains(".compressor.")) {
                    yield Kind.COMPRESSOR;
                }
                if (name.contains(".attn.wo_")) {
                    yield Kind.OUTPUT_PROJECTIONS;
                }
                if (name.contains(".attn.")) {
                    yield Kind.ATTENTION;
                }
                // what is left are projections and heads that only blocks that draft have
                yield name.contains("hc_") ? Kind.HYPER_CONNECTIONS : Kind.MTP_PROJECTIONS;
            }
        };
    }
}
