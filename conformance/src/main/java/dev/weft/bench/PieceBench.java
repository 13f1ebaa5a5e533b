package dev.weft.bench;

import dev.weft.RequestException;
import dev.weft.graph.Graph;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.Reach;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.Placement;
import dev.weft.runtime.StateStore;
import dev.weft.spi.HardwareLimit;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.Collectors;

/**
 * A piece of a layer by itself, at the model's shapes: what takes microseconds is run many times in one graph, with weights
 * and states of its own each time, as one step of a model does.
 *
 * @param kind which piece
 * @param model whose shapes
 * @param m rows, each of a sequence of its own, in a prompt of one
 * @param context tokens of every sequence before them
 */
public record PieceBench(Kind kind, ModelConfig model, int m, int context) {
    /** No step has as many. */
    private static final int MOST_ROWS = 1 << 20;

    /** Pieces of a layer. */
    public enum Kind {
        /** Routed experts on sorted rows, from the first products to the last. */
        EXPERTS("experts"),
        /** The same with weights of FP8, whatever the model has. */
        FP8_EXPERTS("fp8-experts"),
        /** Attention to the window and to as many entries as are picked. */
        ATTENTION("attention"),
        /** Attention to the window and to all entries of ratio 128. */
        HCA("hca"),
        /** The same as {@link #ATTENTION} of all rows of one sequence. */
        PREFILL("prefill"),
        /** Scores of all entries of ratio 4, and the best of them. */
        INDEX("index"),
        /** The best of as many numbers as there are entries of ratio 4. */
        TOPK("topk"),
        /** Exit of a hyper-connection, entry of the next, norm. */
        HYPER("hyper"),
        /** The draw of the next token of every row. */
        SAMPLE("sample"),
        /** Linear layers by the names of their weights; those that a model multiplies with the same rows are one. */
        WQ_A_WKV("wq_a+wkv"),
        WQ_B("wq_b"),
        WO_A("wo_a"),
        WO_B("wo_b"),
        SHARED_W1_W3("shared.w1+w3"),
        SHARED_W2("shared.w2"),
        INDEX_WQ_B("index.wq_b"),
        GATE("gate"),
        /** Keys and weights of a compressor of ratio 4. */
        COMPRESSOR_4("compressor.4"),
        /** The same of ratio 128. */
        COMPRESSOR_128("compressor.128"),
        INDEX_COMPRESSOR("index.compressor");

        private final String key;

        Kind(String key) {
            this.key = key;
        }

        /** The name in reports and on command lines. */
        public String key() {
            return key;
        }
    }

    /** @throws RequestException without rows, or where nothing could be picked */
    public PieceBench {
        if (m < 1 || context < 0) {
            throw new RequestException(kind.key() + ": found m=" + m + " context=" + context
                    + ", expected 1 or more rows behind 0 or more tokens");
        }
        if (m > MOST_ROWS) {
            throw new RequestException(kind.key() + ": found m=" + m + ", expected at most " + MOST_ROWS);
        }
        int least = Paged.PICKED_RATIO * (model.indexTopk() + 1) - 1;
        if ((kind == Kind.INDEX || kind == Kind.TOPK) && context < least) {
            throw new RequestException(kind.key() + ": found context " + context + ", expected " + least
                    + " or more, so that there are entries to choose from");
        }
    }

    private Piece piece(SplittableRandom random) {
        Paged decode = new Paged(m, 1, context, Paged.PICKED_RATIO);
        return switch (kind) {
            case EXPERTS -> new ExpertsPiece(model, model.fp4Experts(), m, random);
            case FP8_EXPERTS -> new ExpertsPiece(model, false, m, random);
            case ATTENTION -> new AttentionPiece(model, decode, Reach.PICKED);
            case HCA -> new AttentionPiece(model, new Paged(m, 1, context, Paged.HEAVY_RATIO), Reach.ALL);
            case PREFILL -> new AttentionPiece(model, new Paged(1, m, context, Paged.PICKED_RATIO), Reach.PICKED);
            case INDEX -> new IndexPiece(model, decode);
            case TOPK -> new TopKPiece(model.indexTopk(), m, decode.entries());
            case HYPER -> new HyperPiece(model, m);
            case SAMPLE -> new SamplePiece(m, model.vocabSize());
            default -> LinearPiece.of(kind, model, m);
        };
    }

    /**
     * What came out.
     *
     * @param result one round: all copies one after another
     * @param kernels the kernels that ran, each once
     * @param copies pieces in a round
     */
    public record Outcome(Result result, String kernels, int copies) {}

    /** Runs the rounds on a device. @param progress receives the number of rounds done */
    public Outcome run(Device device, Rounds rounds, long seed, IntConsumer progress) {
        SplittableRandom random = new SplittableRandom(seed);
        Piece piece = piece(random);
        Graph graph = piece.graph();
        CompiledGraph compiled = device.compile(
                graph, piece.isFused() ? CompileOptions.DEFAULT : CompileOptions.DEFAULT.withoutFusion());
        try (QuickWeights source = new QuickWeights(seed);
                DeviceWeights loaded = compiled.loadWeights(source);
                StateStore states = compiled.newStates();
                Execution execution = compiled.newExecution(loaded, states)) {
            piece.fill(execution, states, source, random);
            Work one = piece.work();
            Work all = new Work(piece.copies() * one.bytes(), piece.copies() * one.flops(), one.unit());
            Set<HardwareLimit> units = Ceilings.products(device);
            units.add(one.unit());
            Series series = rounds.run(device, all.bytes(), units, new Rounds.Run(execution), progress);
            String kernels = compiled.placement().rows().stream()
                    .filter(row -> !row.isJoined())
                    .map(Placement.Row::kernel)
                    .distinct()
                    .collect(Collectors.joining(", "));
            Result result = series.result(kind.key(), all.by(kernels));
            return new Outcome(piece.fromMemory() ? result : result.withoutLimit(), kernels, piece.copies());
        }
    }
}
