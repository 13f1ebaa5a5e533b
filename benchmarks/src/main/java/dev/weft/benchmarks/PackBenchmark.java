package dev.weft.benchmarks;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.benchmarks.work.Format;
import dev.weft.benchmarks.work.Matrix;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Quantize;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Weft;
import java.lang.foreign.Arena;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Loading weights from host memory: allocation and packing. One operation loads {@link #copies} matrices and drops them. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class PackBenchmark {
    /** Weight format. */
    @Param({"MXFP4", "FP8", "BF16"})
    public Format format = Format.MXFP4;

    /** Matrices. */
    @Param("32")
    public int copies = 32;

    /** Input features. */
    @Param("4096")
    public int k = 4096;

    /** Output features. */
    @Param("2048")
    public int n = 2048;

    private final Arena arena = Arena.ofShared();
    private @Nullable Weft weft;
    private @Nullable CompiledGraph compiled;
    private @Nullable Matrix matrix;

    /** Compiles the graph that uses the matrices. */
    @Setup
    public void open() {
        weft = Bench.weft();
        matrix = Matrix.random(arena, format, n, k, 1);
        GraphBuilder g = Graph.builder("pack");
        Value x = g.input("x", TensorType.of(DType.BF16, 1, k));
        Value operand = format.quantised() ? g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x) : x;
        for (int i = 0; i < copies; i++) {
            g.output("y" + i, g.gemm(operand, g.weight("w" + i, format.weight(n, k)), DType.BF16));
        }
        compiled = weft.best().compile(g.build());
    }

    /** Loads all. @return bytes on the device */
    @Benchmark
    public long load() {
        Matrix source = matrix;
        if (compiled == null || source == null) {
            throw new IllegalStateException("benchmark: load before open");
        }
        try (DeviceWeights weights = compiled.loadWeights(source::as)) {
            return weights.bytes();
        }
    }

    /** Lets go of device and data. */
    @TearDown
    public void close() {
        if (weft != null) {
            weft.close();
        }
        arena.close();
    }
}
