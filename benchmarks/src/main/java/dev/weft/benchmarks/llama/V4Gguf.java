package dev.weft.benchmarks.llama;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.io.Checkpoint;
import dev.weft.io.TensorEntry;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.MoeGate;
import dev.weft.op.RotaryParameters;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * A V4 checkpoint in llama.cpp's architecture {@code deepseek4}, backbone only. FP4 experts keep their codes as MXFP4.
 * ggml has no FP8: such matrices become Q8_0, the format nearest in size but not exact, or BF16, exact and twice the
 * size. Vectors become F32, as ggml's element-wise operators want them; BF16 and F32 matrices stay.
 */
final class V4Gguf {
    private static final String ARCHITECTURE = "deepseek4";
    /** Number of the gate function sqrt(softplus(x)). */
    private static final int SQRT_SOFTPLUS = 4;

    private static final int FP8_BLOCK = 128;

    private static final Map<String, String> MODEL_NAMES = Map.of(
            "embed.weight", "token_embd.weight",
            "norm.weight", "output_norm.weight",
            "head.weight", "output.weight",
            "hc_head_fn", "output_hc_fn.weight",
            "hc_head_base", "output_hc_base.weight",
            "hc_head_scale", "output_hc_scale.weight");

    /** Names after {@code layers.N.} and after {@code blk.N.}. */
    private static final Map<String, String> LAYER_NAMES = Map.ofEntries(
            Map.entry("attn_norm.weight", "attn_norm.weight"),
            Map.entry("ffn_norm.weight", "ffn_norm.weight"),
            Map.entry("hc_attn_fn", "hc_attn_fn.weight"),
            Map.entry("hc_attn_base", "hc_attn_base.weight"),
            Map.entry("hc_attn_scale", "hc_attn_scale.weight"),
            Map.entry("hc_ffn_fn", "hc_ffn_fn.weight"),
            Map.entry("hc_ffn_base", "hc_ffn_base.weight"),
            Map.entry("hc_ffn_scale", "hc_ffn_scale.weight"),
            Map.entry("attn.attn_sink", "attn_sinks.weight"),
            Map.entry("attn.wq_a.weight", "attn_q_a.weight"),
            Map.entry("attn.q_norm.weight", "attn_q_a_norm.weight"),
            Map.entry("attn.wq_b.weight", "attn_q_b.weight"),
            Map.entry("attn.wkv.weight", "attn_kv.weight"),
            Map.entry("attn.kv_norm.weight", "attn_kv_a_norm.weight"),
            Map.entry("attn.wo_a.weight", "attn_output_a.weight"),
            Map.entry("attn.wo_b.weight", "attn_output_b.weight"),
            Map.entry("attn.compressor.ape", "attn_compressor_ape.weight"),
            Map.entry("attn.compressor.wkv.weight", "attn_compressor_kv.weight"),
            Map.entry("attn.compressor.wgate.weight", "attn_compressor_gate.weight"),
            Map.entry("attn.compressor.norm.weight", "attn_compressor_norm.weight"),
            Map.entry("attn.indexer.wq_b.weight", "indexer.attn_q_b.weight"),
            Map.entry("attn.indexer.weights_proj.weight", "indexer.proj.weight"),
            Map.entry("attn.indexer.compressor.ape", "indexer_compressor_ape.weight"),
            Map.entry("attn.indexer.compressor.wkv.weight", "indexer_compressor_kv.weight"),
            Map.entry("attn.indexer.compressor.wgate.weight", "indexer_compressor_gate.weight"),
            Map.entry("attn.indexer.compressor.norm.weight", "indexer_compressor_norm.weight"),
            Map.entry("ffn.gate.weight", "ffn_gate_inp.weight"),
            Map.entry("ffn.gate.bias", "exp_probs_b.bias"),
            Map.entry("ffn.gate.tid2eid", "ffn_gate_tid2eid.weight"),
            Map.entry("ffn.shared_experts.w1.weight", "ffn_gate_shexp.weight"),
            Map.entry("ffn.shared_experts.w2.weight", "ffn_down_shexp.weight"),
            Map.entry("ffn.shared_experts.w3.weight", "ffn_up_shexp.weight"));

    private static final Map<String, String> EXPERT_NAMES = new TreeMap<>(
            Map.of("w1", "ffn_gate_exps.weight", "w2", "ffn_down_exps.weight", "w3", "ffn_up_exps.weight"));

    private final Checkpoint checkpoint;
    private final ModelConfig config;
    private final GgmlType fp8As;
    private final GgufWriter file = new GgufWriter();

    private V4Gguf(Checkpoint checkpoint, ModelConfig config, GgmlType fp8As) {
        this.checkpoint = checkpoint;
        this.config = config;
        this.fp8As = fp8As;
    }

    /**
     * Converts the checkpoint in {@code directory}.
     *
     * @param fp8As what FP8 matrices become: Q8_0 or BF16
     * @throws IllegalArgumentException if llama.cpp cannot hold it
     */
    static void convert(Path directory, Path target, GgmlType fp8As) throws IOException {
        if (fp8As != GgmlType.Q8_0 && fp8As != GgmlType.BF16) {
            throw new IllegalArgumentException("FP8 matrices: found " + fp8As + ", expected Q8_0 or BF16");
        }
        ModelConfig config = ModelConfig.read(directory.resolve("config.json"));
        require(config.fp4Experts(), "expert_dtype", "fp4");
        require(config.score() == MoeGate.Score.SQRT_SOFTPLUS, "scoring_func", "sqrtsoftplus");
        require(config.hcMult() == 4, "hc_mult", "4");
        require(config.vocabSize() > 256, "vocab_size", "more than 256: the tokens of single bytes");
        for (int ratio : config.distinctRatios()) {
            require(ratio == 4 || ratio == 128, "compress_ratios", "0, 4 and 128 only");
        }
        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            V4Gguf gguf = new V4Gguf(checkpoint, config, fp8As);
            gguf.describe();
            ByteVocabulary.describe(gguf.file, config.vocabSize());
            gguf.tensors();
            gguf.file.write(target);
        }
    }

    private static void require(boolean condition, String key, String expected) {
        if (!condition) {
            throw new IllegalArgumentException(key + ": expected " + expected + ", all that llama.cpp supports");
        }
    }

    private void describe() {
        file.put("general.architecture", ARCHITECTURE).put("general.name", "synthetic " + ARCHITECTURE);
        put("vocab_size", config.vocabSize());
        put("context_length", config.maxPositionEmbeddings());
        put("embedding_length", config.hiddenSize());
        put("block_count", config.numHiddenLayers());
        attention();
        put("expert_count", config.nRoutedExperts());
        put("expert_used_count", config.numExpertsPerTok());
        put("expert_shared_count", config.nSharedExperts());
        put("expert_feed_forward_length", config.moeIntermediateSize());
        put("expert_gating_func", SQRT_SOFTPLUS);
        put("expert_weights_norm", true);
        put("expert_weights_scale", config.routedScalingFactor());
        put("hash_layer_count", config.numHashLayers());
        float[] clamps = new float[config.numHiddenLayers()];
        Arrays.fill(clamps, config.swigluLimit());
        put("swiglu_clamp_exp", clamps);
        put("swiglu_clamp_shexp", clamps);
        put("hyper_connection.count", config.hcMult());
        put("hyper_connection.sinkhorn_iterations", config.hcSinkhornIters());
        put("hyper_connection.epsilon", config.hcEps());
    }

    private void attention() {
        put("attention.head_count", config.numAttentionHeads());
        put("attention.head_count_kv", 1);
        put("attention.key_length", config.headDim());
        put("attention.value_length", config.headDim());
        put("attention.layer_norm_rms_epsilon", config.rmsNormEps());
        put("attention.q_lora_rank", config.qLoraRank());
        put("attention.output_lora_rank", config.oLoraRank());
        put("attention.output_group_count", config.oGroups());
        put("attention.sliding_window", config.slidingWindow());
        put("attention.compress_ratios", Arrays.copyOf(config.compressRatios(), config.numHiddenLayers()));
        put("attention.compress_rope_freq_base", (float) config.compressRopeTheta());
        put("attention.indexer.head_count", config.indexNHeads());
        put("attention.indexer.key_length", config.indexHeadDim());
        put("attention.indexer.top_k", config.indexTopk());
        put("rope.dimension_count", config.qkRopeHeadDim());
        put("rope.freq_base", (float) config.ropeTheta());
        IntStream.range(0, config.numHiddenLayers())
                .filter(i -> config.ratio(i) != 0)
                .limit(1)
                .forEach(i -> yarn(config.rotary(i)));
    }

    /** All layers that compress share these; window layers have none. */
    private void yarn(RotaryParameters r) {
        put("rope.scaling.type", "yarn");
        put("rope.scaling.factor", (float) r.factor());
        put("rope.scaling.original_context_length", r.originalPositions());
        put("rope.scaling.yarn_beta_fast", (float) r.betaFast());
        put("rope.scaling.yarn_beta_slow", (float) r.betaSlow());
    }

    private void put(String key, Object value) {
        file.put(ARCHITECTURE + "." + key, value);
    }

    private void tensors() {
        MODEL_NAMES.forEach(this::tensor);
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            String from = "layers." + i + ".";
            String to = "blk." + i + ".";
            LAYER_NAMES.forEach((stored, name) -> {
                if (checkpoint.find(from + stored).isPresent()) {
                    tensor(from + stored, to + name);
                }
            });
            EXPERT_NAMES.forEach((stored, name) -> experts(from + "ffn.experts.", stored, to + name));
        }
    }

    private void tensor(String stored, String name) {
        TensorEntry e = checkpoint.find(stored).orElseThrow(() -> new IllegalArgumentException("lacks " + stored));
        long[] shape = e.shape();
        switch (e.dtype()) {
            case F8_E4M3 -> file.tensor(name, fp8As, shape, out -> recode(stored, shape, out));
            case I64 -> file.tensor(name, GgmlType.I32, shape, out -> narrow(stored, out));
            case F32 -> file.tensor(name, GgmlType.F32, shape, out -> out.write(bytes(stored)));
            case BF16 -> {
                if (shape.length == 1) {
                    file.tensor(name, GgmlType.F32, shape, out -> widen(stored, out));
                } else {
                    file.tensor(name, GgmlType.BF16, shape, out -> out.write(bytes(stored)));
                }
            }
            default -> throw new IllegalArgumentException(stored + ": found " + e.dtype());
        }
    }

    private byte[] bytes(String stored) {
        return checkpoint.data(stored).toArray(ValueLayout.JAVA_BYTE);
    }

    private void narrow(String stored, OutputStream out) throws IOException {
        byte[] all = bytes(stored);
        for (int i = 0; i < all.length; i += Long.BYTES) {
            out.write(all, i, Integer.BYTES);
        }
    }

    private void widen(String stored, OutputStream out) throws IOException {
        byte[] all = bytes(stored);
        for (int i = 0; i < all.length; i += Short.BYTES) {
            out.write(new byte[] {0, 0, all[i], all[i + 1]});
        }
    }

    private void recode(String stored, long[] shape, OutputStream out) throws IOException {
        MemorySegment codes = checkpoint.data(stored);
        byte[] scales = bytes(scaleOf(stored));
        int columns = (int) shape[1];
        int scaleColumns = (int) Scaling.FP8_BLOCK_128.scaleDims(shape)[1];
        float[] row = new float[columns];
        for (long r = 0; r < shape[0]; r++) {
            for (int j = 0; j < columns; j++) {
                int scale = scales[(int) (r / FP8_BLOCK) * scaleColumns + j / FP8_BLOCK];
                row[j] = DType.F8_E4M3.decode(codes.get(ValueLayout.JAVA_BYTE, r * columns + j) & 0xFF)
                        * DType.F8_E8M0.decode(scale & 0xFF);
            }
            out.write(fp8As == GgmlType.Q8_0 ? GgmlBlocks.q8(row) : GgmlBlocks.bf16(row));
        }
    }

    private void experts(String prefix, String stored, String name) {
        int n = config.nRoutedExperts();
        long[] packed = checkpoint
                .find(prefix + "0." + stored + ".weight")
                .orElseThrow()
                .shape();
        long[] shape = {n, packed[0], 2 * packed[1]};
        file.tensor(name, GgmlType.MXFP4, shape, out -> {
            for (int e = 0; e < n; e++) {
                String weight = prefix + e + "." + stored + ".weight";
                ByteBuffer codes = ByteBuffer.wrap(bytes(weight));
                ByteBuffer scales = ByteBuffer.wrap(bytes(scaleOf(weight)));
                byte[] rowCodes = new byte[(int) packed[1]];
                byte[] rowScales = new byte[(int) shape[2] / GgmlType.MXFP4.blockElements()];
                for (long r = 0; r < packed[0]; r++) {
                    codes.get(rowCodes);
                    scales.get(rowScales);
                    out.write(GgmlBlocks.mxfp4(rowCodes, rowScales));
                }
            }
        });
    }

    private static String scaleOf(String weight) {
        return weight.substring(0, weight.length() - "weight".length()) + "scale";
    }
}
