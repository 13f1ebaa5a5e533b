package dev.weft.benchmarks.peer;

import dev.weft.benchmarks.work.AttentionWork;
import dev.weft.benchmarks.work.ExpertWork;
import dev.weft.benchmarks.work.GemmWork;
import dev.weft.benchmarks.work.Matrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Every work as a ggml graph. ggml writes extents fastest first. */
final class GgmlWorks {
    private GgmlWorks() {}

    /** {@code ggml_mul_mat} per copy; F32 activations, which it converts itself. */
    static GgmlGraph gemm(Ggml ggml, GemmWork work) {
        class Gemm implements GgmlGraph.Definition {
            final List<MemorySegment> weights = new ArrayList<>();
            MemorySegment x = MemorySegment.NULL;

            @Override
            public long resultSize() {
                return (long) work.m() * work.n();
            }

            @Override
            public void describe(GgmlGraph g, int copies) {
                weights.clear();
                x = g.input(GgmlLibrary.F32, work.k(), work.m(), 1);
                for (int c = 0; c < copies; c++) {
                    MemorySegment w = g.weight(GgmlBlocks.type(work.weights().get(c)), work.k(), work.n(), 1);
                    weights.add(w);
                    g.result(ggml.library().mulMat(g.values(), w, x));
                }
            }
        }
        Gemm definition = new Gemm();
        GgmlGraph g = GgmlGraph.build(ggml, work.copies(), definition);
        g.fill(definition.x, work.x());
        for (int c = 0; c < work.copies(); c++) {
            upload(g, definition.weights.get(c), work.weights().get(c));
        }
        return g;
    }

    /** {@code ggml_mul_mat_id} per copy, all on the same experts. */
    static GgmlGraph experts(Ggml ggml, ExpertWork work) {
        class Experts implements GgmlGraph.Definition {
            final List<MemorySegment> choices = new ArrayList<>();
            MemorySegment weights = MemorySegment.NULL;
            MemorySegment x = MemorySegment.NULL;

            @Override
            public long resultSize() {
                return (long) work.m() * work.top() * work.n();
            }

            @Override
            public void describe(GgmlGraph g, int copies) {
                choices.clear();
                weights = g.weight(GgmlBlocks.type(work.weights()), work.k(), work.n(), work.experts());
                x = g.input(GgmlLibrary.F32, work.k(), 1, work.m());
                for (int c = 0; c < copies; c++) {
                    MemorySegment ids = g.input(GgmlLibrary.I32, work.top(), work.m(), 1);
                    choices.add(ids);
                    g.result(ggml.library().mulMatId(g.values(), weights, x, ids));
                }
            }
        }
        Experts definition = new Experts();
        GgmlGraph g = GgmlGraph.build(ggml, work.copies(), definition);
        g.fill(definition.x, work.x());
        for (int c = 0; c < work.copies(); c++) {
            g.fill(definition.choices.get(c), work.choices(c));
        }
        upload(g, definition.weights, work.weights());
        return g;
    }

    /** {@code ggml_flash_attn_ext} per copy with an F16 cache, one tensor being keys and values, and sinks. */
    static GgmlGraph attention(Ggml ggml, AttentionWork work) {
        class Attention implements GgmlGraph.Definition {
            final List<MemorySegment> caches = new ArrayList<>();
            MemorySegment q = MemorySegment.NULL;
            MemorySegment sinks = MemorySegment.NULL;

            @Override
            public long resultSize() {
                return (long) work.m() * work.heads() * work.width();
            }

            @Override
            public void describe(GgmlGraph g, int copies) {
                caches.clear();
                q = g.input(GgmlLibrary.F32, work.width(), work.m(), work.heads());
                sinks = g.input(GgmlLibrary.F32, work.heads(), 1, 1);
                for (int c = 0; c < copies; c++) {
                    MemorySegment kv = g.input(GgmlLibrary.F16, work.width(), work.keys(), 1);
                    caches.add(kv);
                    MemorySegment y = ggml.library()
                            .flashAttention(g.values(), q, kv, kv, MemorySegment.NULL, work.scale(), 0, 0);
                    ggml.library().addSinks(y, sinks);
                    g.result(y);
                }
            }
        }
        Attention definition = new Attention();
        GgmlGraph g = GgmlGraph.build(ggml, work.copies(), definition);
        g.fill(definition.q, byHead(work));
        g.fill(definition.sinks, work.sink());
        for (int c = 0; c < work.copies(); c++) {
            float[] latents = work.latents(c);
            g.fill(definition.caches.get(c), (long) latents.length * Short.BYTES, s -> {
                for (int i = 0; i < latents.length; i++) {
                    s.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(latents[i]));
                }
            });
        }
        return g;
    }

    /** Queries as {@code [heads, m, width]}; results come back as {@code [m, heads, width]}. */
    private static float[] byHead(AttentionWork work) {
        float[] out = new float[work.q().length];
        for (int row = 0; row < work.m(); row++) {
            for (int head = 0; head < work.heads(); head++) {
                System.arraycopy(
                        work.q(),
                        (row * work.heads() + head) * work.width(),
                        out,
                        (head * work.m() + row) * work.width(),
                        work.width());
            }
        }
        return out;
    }

    private static void upload(GgmlGraph g, MemorySegment tensor, Matrix w) {
        g.fill(tensor, GgmlBlocks.bytes(w), s -> GgmlBlocks.write(w, s));
    }
}
