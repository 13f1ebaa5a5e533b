package dev.weft.cli;

import dev.weft.model.config.ModelConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;

/** Configurations to write random checkpoints of: by name or file, then changed key by key. */
final class ConfigPreset {
    private ConfigPreset() {}

    /** @param option where the name was given @throws UsageException if it is neither {@code tiny}, {@code flash}, {@code pro} nor a file */
    static ModelConfig named(String option, String name) {
        return switch (name) {
            case "tiny" -> ModelConfig.flash().with(tiny());
            case "flash" -> ModelConfig.flash();
            case "pro" -> ModelConfig.pro();
            default -> {
                Path file = Path.of(name);
                if (!Files.isRegularFile(file)) {
                    throw new UsageException(option + ": found '" + name
                            + "', expected tiny, flash, pro or the file of a configuration");
                }
                yield ModelConfig.read(file);
            }
        };
    }

    /** Every kind of layer at widths that any machine runs in an instant. */
    private static Map<String, Object> tiny() {
        Map<String, Object> sizes = new LinkedHashMap<>();
        sizes.put("vocab_size", 512);
        sizes.put("hidden_size", 256);
        sizes.put("num_hidden_layers", 4);
        sizes.put("compress_ratios", List.of(0, 4, 128, 4, 0));
        sizes.put("num_attention_heads", 4);
        sizes.put("head_dim", 128);
        sizes.put("q_lora_rank", 128);
        sizes.put("o_groups", 2);
        sizes.put("o_lora_rank", 128);
        sizes.put("sliding_window", 64);
        sizes.put("index_n_heads", 8);
        sizes.put("index_topk", 16);
        sizes.put("n_routed_experts", 8);
        sizes.put("num_experts_per_tok", 2);
        sizes.put("moe_intermediate_size", 128);
        sizes.put("num_hash_layers", 1);
        return sizes;
    }

    /** With another number of backbone layers: the list of ratios is cut, or goes on with its last two in turn. */
    static Map<String, Object> layers(ModelConfig c, int layers) {
        int[] ratios = c.compressRatios();
        int old = c.numHiddenLayers();
        List<Object> list = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            int beyond = i - old;
            list.add(ratios[beyond < 0 ? i : Math.max(0, old - 2 + beyond % 2)]);
        }
        for (int i = old; i < ratios.length; i++) {
            list.add(ratios[i]);
        }
        Map<String, Object> changes = new LinkedHashMap<>();
        changes.put("num_hidden_layers", layers);
        changes.put("compress_ratios", list);
        changes.put("num_hash_layers", Math.min(c.numHashLayers(), layers));
        return changes;
    }

    /** With another number of routed experts. */
    static Map<String, Object> experts(ModelConfig c, int experts) {
        return Map.of("n_routed_experts", experts, "num_experts_per_tok", Math.min(c.numExpertsPerTok(), experts));
    }

    /** A value as typed: JSON where it is, else a string. */
    static Object value(String text) {
        try {
            return Json.plain(text);
        } catch (JacksonException e) {
            return text;
        }
    }
}
