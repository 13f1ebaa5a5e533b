package dev.weft.io;

import java.util.Map;

/**
 * Tensor names of relatives of the published checkpoints, translated to the published ones segment by segment: a
 * {@code model.} prefix, and the module names that the converters of the family rename (specification 2.6). Published
 * names map to themselves.
 */
final class NameMapping {
    private static final String PREFIX = "model.";
    private static final Map<String, String> SEGMENTS = Map.ofEntries(
            Map.entry("embed_tokens", "embed"),
            Map.entry("lm_head", "head"),
            Map.entry("self_attn", "attn"),
            Map.entry("mlp", "ffn"),
            Map.entry("input_layernorm", "attn_norm"),
            Map.entry("post_attention_layernorm", "ffn_norm"),
            Map.entry("q_a_proj", "wq_a"),
            Map.entry("q_a_norm", "q_norm"),
            Map.entry("q_a_layernorm", "q_norm"),
            Map.entry("q_b_proj", "wq_b"),
            Map.entry("kv_proj", "wkv"),
            Map.entry("o_a_proj", "wo_a"),
            Map.entry("o_b_proj", "wo_b"),
            Map.entry("sinks", "attn_sink"),
            Map.entry("position_bias", "ape"),
            Map.entry("up_proj", "w3"),
            Map.entry("down_proj", "w2"),
            Map.entry("weight_scale_inv", "scale"),
            Map.entry("e_score_correction_bias", "bias"));

    private NameMapping() {}

    static String published(String stored) {
        int start = stored.startsWith(PREFIX) ? PREFIX.length() : 0;
        // a gate projection is the compressor's gate or the experts' first matrix
        String gate = stored.contains("compressor.") ? "wgate" : "w1";
        StringBuilder name = new StringBuilder(stored.length());
        while (start <= stored.length()) {
            int dot = stored.indexOf('.', start);
            int end = dot < 0 ? stored.length() : dot;
            String segment = stored.substring(start, end);
            name.append(name.isEmpty() ? "" : ".");
            name.append(segment.equals("gate_proj") ? gate : SEGMENTS.getOrDefault(segment, segment));
            start = end + 1;
        }
        // almost always the same: share the string
        return stored.contentEquals(name) ? stored : name.toString();
    }
}
