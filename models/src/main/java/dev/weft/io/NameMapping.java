package dev.weft.io;

import java.util.Map;
import org.jspecify.annotations.Nullable;

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
        // null as long as nothing was translated: almost always, for tens of thousands of names
        @Nullable StringBuilder name = start == 0 ? null : new StringBuilder(stored.length());
        while (start <= stored.length()) {
            int dot = stored.indexOf('.', start);
            int end = dot < 0 ? stored.length() : dot;
            String segment = stored.substring(start, end);
            String translated = SEGMENTS.getOrDefault(segment, segment);
            if (segment.equals("gate_proj")) {
                // the compressor's gate, or the experts' first matrix
                translated = stored.contains("compressor.") ? "wgate" : "w1";
            }
            if (name == null && !translated.equals(segment)) {
                name = new StringBuilder(stored.length()).append(stored, 0, start);
            }
            if (name != null) {
                name.append(translated).append(dot < 0 ? "" : ".");
            }
            start = end + 1;
        }
        return name == null ? stored : name.toString();
    }
}
