package dev.weft.bench;

import dev.weft.DType;
import dev.weft.RequestException;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Gemm;
import dev.weft.op.Quantize;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.HardwareLimit;
import java.util.Locale;
import java.util.Set;
import java.util.function.IntConsumer;

/**
 * A linear layer {@code [m, k] x [n, k]} again and again with other weights, so many that no cache holds them: what a
 * decode step of a large model does.
 *
 * @param weights format of the weights
 * @param activations format of the activations
 * @param m rows
 * @param k inputs
 * @param n outputs
 * @param weightBytes least bytes of all weights together
 */
public record GemmBench(Format weights, Format activations, int m, int k, int n, long weightBytes) {
    /** No cache of a processor holds them. */
    public static final long BEYOND_CACHES = 160L << 20;

    private static final int MOST_COPIES = 4096;

    /** Formats of operands. */
    public enum Format {
        /** E2M1 with one scale per 32 inputs; weights only. */
        MXFP4(DType.F4_E2M1, Scaling.MXFP4),
        /** E4M3; one scale per 128 x 128 weights or per row and 128 inputs of activations. */
        FP8(DType.F8_E4M3, Scaling.FP8_BLOCK_128),
        BF16(DType.BF16, Scaling.NONE),
        F32(DType.F32, Scaling.NONE);

        private final DType dtype;
        private final Scaling scaling;

        Format(DType dtype, Scaling scaling) {
            this.dtype = dtype;
            this.scaling = scaling;
        }

        /** The name in reports and on command lines. */
        public String key() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** What V4 multiplies weights of this format with: quantised ones with FP8. */
        public Format usualActivations() {
            return scaling.isNone() ? this : FP8;
        }
    }

    public GemmBench {
        if (m < 1 || k < 1 || n < 1) {
            throw new RequestException("gemm: found m=" + m + " k=" + k + " n=" + n + ", expected 1 or more of each");
        }
        if (activations == Format.MXFP4) {
            throw new RequestException("gemm: found activations " + activations.key() + ", expected fp8, bf16 or f32");
        }
        int block = weights == Format.MXFP4 ? 32 : 1;
        if (k % block != 0) {
            throw new RequestException(
                    "gemm: found k=" + k + ", expected a multiple of " + block + " for " + weights.key() + " weights");
        }
    }

    /** Runs the rounds on a device. @param progress receives the number of rounds done */
    public Outcome run(Device device, Rounds rounds, long seed, IntConsumer progress) {
        Graph graph = graph();
        CompiledGraph compiled = device.compile(graph, CompileOptions.DEFAULT.withoutFusion()); // a launch for each
        try (QuickWeights source = new QuickWeights(seed);
                DeviceWeights loaded = compiled.loadWeights(source);
                StateStore states = compiled.newStates();
                Execution execution = compiled.newExecution(loaded, states)) {
            TensorType x = graph.values(Value.Kind.INPUT).getFirst().type();
            execution.set("x", source.values(x, x.maxDataBytes()));
            Series series = rounds.run(device, work().bytes(), units(device), new Rounds.Run(execution), progress);
            String kernel = compiled.placement().rows().getLast().kernel();
            Work all = work();
            Work held = new Work(all.bytes(), all.flops(), unit(kernel));
            Result result = series.result(weights.key() + " gemm", held);
            return new Outcome(result, kernel, copies());
        }
    }

    /** What a kernel multiplies with at best: ours multiply FP8 exactly, as BF16, but for those on FP8 units; NVIDIA's library does not. */
    HardwareLimit unit(String kernel) {
        boolean fp8 = weights == Format.FP8 && activations == Format.FP8;
        return fp8 && kernel.endsWith("/cublaslt")
                ? HardwareLimit.FP8_DOT
                : work().by(kernel).unit();
    }

    private Set<HardwareLimit> units(Device device) {
        return work().unit() == HardwareLimit.BF16_DOT ? Ceilings.products(device) : Set.of(work().unit());
    }

    /**
     * What came out.
     *
     * @param result one round: all copies one after another
     * @param kernel the kernel that ran
     * @param copies products in a round, each with weights of its own
     */
    public record Outcome(Result result, String kernel, int copies) {}

    /** Most bytes of all weights together: a round has no more products. */
    public long mostBytes() {
        TensorType w = weightType();
        return MOST_COPIES * (w.maxDataBytes() + w.maxScaleBytes());
    }

    /** Products in a round. */
    public int copies() {
        TensorType w = weightType();
        return Math.clamp(Math.ceilDiv(weightBytes, w.maxDataBytes() + w.maxScaleBytes()), 1, MOST_COPIES);
    }

    /** What a round has to do. */
    public Work work() {
        TensorType w = weightType();
        double flops = 2.0 * m * k * n;
        // activations are read from a cache and results stay in one: weights are what must come from memory
        double bytes = (double) w.maxDataBytes() + w.maxScaleBytes();
        HardwareLimit unit =
                weights == Format.F32 || activations == Format.F32 ? HardwareLimit.F32_FMA : HardwareLimit.BF16_DOT;
        return new Work(copies() * bytes, copies() * flops, unit);
    }

    private TensorType weightType() {
        return new TensorType(weights.dtype, Shape.of(n, k), weights.scaling);
    }

    private Graph graph() {
        GraphBuilder g = Graph.builder("gemm");
        DType flow = activations == Format.F32 ? DType.F32 : DType.BF16;
        Value x = g.input("x", TensorType.of(flow, m, k));
        Value rows = activations == Format.FP8 ? g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x) : x;
        Value y = x;
        for (int i = 0; i < copies(); i++) {
            y = g.node(new Gemm(flow), rows, g.weight("w" + i, weightType()));
        }
        return g.output("y", y).build();
    }
}
