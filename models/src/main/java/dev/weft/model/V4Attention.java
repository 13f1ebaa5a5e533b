package dev.weft.model;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.Compress;
import dev.weft.op.EntryForm;
import dev.weft.op.FakeQuantize;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Hadamard;
import dev.weft.op.HeadNorm;
import dev.weft.op.LightningIndex;
import dev.weft.op.Reach;
import dev.weft.op.RingWrite;
import dev.weft.op.Rotary;
import dev.weft.op.RotaryParameters;
import dev.weft.op.Scale;
import dev.weft.op.SparseAttention;
import java.util.ArrayList;
import java.util.List;

/**
 * Shared-KV attention of one layer in its three kinds: window only, compressed with selection (ratio 4), and heavily
 * compressed (specification 5). Rings and caches are states; rings are written after attention has read them.
 */
final class V4Attention {
    /** Lanes per scale of the simulated FP8 cache. */
    private static final int KV_BLOCK = 64;

    /** The ratio that overlaps and selects. */
    private static final int OVERLAPPING_RATIO = 4;

    private final V4Layer layer;
    private final GraphBuilder g;
    private final ModelConfig c;
    private final V4Inputs in;
    private final RotaryParameters rotary;
    private final int ratio;
    private final List<Runnable> afterAttention = new ArrayList<>();

    V4Attention(V4Layer layer) {
        this.layer = layer;
        this.g = layer.g;
        this.c = layer.config;
        this.in = layer.in;
        this.rotary = c.rotary(layer.index);
        this.ratio = c.ratio(layer.index);
    }

    Value build(Value x) {
        int heads = c.numAttentionHeads();
        int width = c.headDim();
        Value quantised = layer.quantise(x);
        Value latent = g.rmsNorm(
                layer.linear(quantised, "attn.wq_a.weight", c.qLoraRank(), c.hiddenSize()),
                layer.bf16("attn.q_norm.weight", c.qLoraRank()),
                c.rmsNormEps());
        Value quantisedLatent = layer.quantise(latent);
        Value q = heads(
                layer.linear(quantisedLatent, "attn.wq_b.weight", (long) heads * width, c.qLoraRank()), heads, width);
        q = rotate(g.node(new HeadNorm(c.rmsNormEps()), q), false);

        List<Value> operands = new ArrayList<>(List.of(q));
        operands.addAll(window(quantised));
        operands.addAll(List.of(layer.f32("attn.attn_sink", heads), in.positions(), in.starts(), in.slots()));
        Reach reach = Reach.WINDOW;
        if (ratio != 0) {
            reach = ratio == OVERLAPPING_RATIO ? Reach.PICKED : Reach.ALL;
            EntryForm form = layer.quantised() ? EntryForm.FP8 : EntryForm.PLAIN;
            Value cache = compress("attn.compressor", x, width, form);
            layer.trace(layer.prefix + ".compressed_kv", cache);
            operands.addAll(List.of(cache, in.pages()));
        }
        if (reach == Reach.PICKED) {
            operands.add(pick(x, quantisedLatent));
        }
        float scale = (float) (1 / Math.sqrt(width));
        Value o = g.node(
                new SparseAttention(c.slidingWindow(), Math.max(ratio, 1), reach, scale),
                operands.toArray(Value[]::new));
        afterAttention.forEach(Runnable::run);
        return project(rotate(o, true));
    }

    /** The step's latent rows and the ring of earlier ones. */
    private List<Value> window(Value quantised) {
        int width = c.headDim();
        Value kv = g.rmsNorm(
                layer.linear(quantised, "attn.wkv.weight", width, c.hiddenSize()),
                layer.bf16("attn.kv_norm.weight", width),
                c.rmsNormEps());
        kv = rotate(kv, false);
        if (layer.quantised()) {
            kv = g.node(new FakeQuantize(DType.F8_E4M3, KV_BLOCK, width - c.qkRopeHeadDim()), kv);
        }
        Value rows = kv;
        Value ring = layer.state("window", layer.flow(), slots(), c.slidingWindow() + rollback(), width);
        writeLater(ring, rows);
        return List.of(rows, ring);
    }

    /** Adds the step's finished blocks to a cache. */
    private Value compress(String name, Value x, int width, EntryForm form) {
        boolean overlap = ratio == OVERLAPPING_RATIO;
        long wide = (overlap ? 2L : 1L) * width;
        Value k = g.gemm(x, layer.bf16(name + ".wkv.weight", wide, c.hiddenSize()), DType.F32);
        Value z = g.gemm(x, layer.bf16(name + ".wgate.weight", wide, c.hiddenSize()), DType.F32);
        long open = (overlap ? 2L : 1L) * ratio + rollback();
        Value kRing = layer.state(name + ".k", DType.F32, slots(), open, wide);
        Value zRing = layer.state(name + ".z", DType.F32, slots(), open, wide);
        long perPage = LoadOptions.PAGE_TOKENS / ratio;
        Value cache = layer.state(name + ".cache", layer.flow(), layer.options.pages(), perPage, width);
        Value updated = g.node(
                new Compress(ratio, overlap, rotary, c.rmsNormEps(), form),
                k,
                z,
                layer.f32(name + ".ape", ratio, wide),
                layer.bf16(name + ".norm.weight", width),
                kRing,
                zRing,
                cache,
                in.positions(),
                in.starts(),
                in.slots(),
                in.pages());
        writeLater(kRing, k);
        writeLater(zRing, z);
        return updated;
    }

    /** The lightning indexer: which compressed entries each query sees. */
    private Value pick(Value x, Value quantisedLatent) {
        int heads = c.indexNHeads();
        int width = c.indexHeadDim();
        Value q = heads(
                layer.linear(quantisedLatent, "attn.indexer.wq_b.weight", (long) heads * width, c.qLoraRank()),
                heads,
                width);
        q = g.node(new Hadamard(), rotate(q, false));
        if (layer.quantised()) {
            q = g.node(new FakeQuantize(DType.F4_E2M1, 32, width), q);
        }
        EntryForm form = layer.quantised() ? EntryForm.HADAMARD_FP4 : EntryForm.HADAMARD;
        Value keys = compress("attn.indexer.compressor", x, width, form);
        layer.trace(layer.prefix + ".indexer.compressed_k", keys);
        Value projected =
                g.gemm(x, layer.bf16("attn.indexer.weights_proj.weight", heads, c.hiddenSize()), layer.flow());
        Value w = g.node(new Scale((float) (1 / Math.sqrt((double) width * heads))), projected);
        Value picks =
                g.node(new LightningIndex(c.indexTopk(), ratio), q, w, keys, in.positions(), in.starts(), in.pages());
        layer.trace(layer.prefix + ".indexer.topk", picks);
        return picks;
    }

    /** Grouped output projection, then the quantised one. */
    private Value project(Value o) {
        int groups = c.oGroups();
        long rank = c.oLoraRank();
        long groupWidth = (long) c.numAttentionHeads() * c.headDim() / groups;
        Dim tokens = V4Inputs.tokens(layer.options);
        Value grouped = g.reshape(o, Shape.of(tokens, Dim.fixed(groups), Dim.fixed(groupWidth)));
        // a scale block must not span two groups: otherwise the weight is widened to BF16, which is exact
        Value w = rank % 128 == 0 || groups == 1
                ? layer.fp8("attn.wo_a.weight", groups, rank, groupWidth)
                : layer.bf16("attn.wo_a.weight", groups, rank, groupWidth);
        Value y = g.node(new GroupedGemm(layer.flow()), grouped, w);
        Value joined = g.reshape(y, Shape.of(tokens, Dim.fixed(groups * rank)));
        return layer.linear(layer.quantise(joined), "attn.wo_b.weight", c.hiddenSize(), groups * rank);
    }

    private Value rotate(Value x, boolean inverse) {
        return g.node(new Rotary(rotary, inverse), x, in.positions());
    }

    private Value heads(Value x, int heads, int width) {
        return g.reshape(x, Shape.of(V4Inputs.tokens(layer.options), Dim.fixed(heads), Dim.fixed(width)));
    }

    private void writeLater(Value ring, Value rows) {
        afterAttention.add(() -> g.node(new RingWrite(), ring, rows, in.positions(), in.starts(), in.slots()));
    }

    private long slots() {
        return layer.options.maxSequences();
    }

    private int rollback() {
        return layer.options.rollback();
    }
}
