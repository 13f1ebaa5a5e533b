package dev.weft.benchmarks;

import dev.weft.benchmarks.work.ExpertWork;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Routed experts; one operation is a run that touches 150 MB of weights or more. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ExpertBenchmark {
    /** Rows of activations. */
    @Param({"1", "8", "64"})
    public int m = 1;

    /** Input features. */
    @Param("4096")
    public int k = 4096;

    /** Output features of an expert. */
    @Param("2048")
    public int n = 2048;

    /** Number of experts. */
    @Param("256")
    public int experts = 256;

    /** Experts a row chooses. */
    @Param("6")
    public int top = 6;

    private final Bench bench = new Bench();

    /** Makes data and loads it. */
    @Setup
    public void open() {
        bench.open(new ExpertWork(m, k, n, experts, top));
    }

    /** All copies once. */
    @Benchmark
    public void run() {
        bench.run();
    }

    /** Lets go of the device. */
    @TearDown
    public void close() {
        bench.close();
    }
}
