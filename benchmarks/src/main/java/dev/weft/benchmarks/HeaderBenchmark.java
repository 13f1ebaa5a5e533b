package dev.weft.benchmarks;

import dev.weft.backend.ascend.abi.AbiTable;
import dev.weft.backend.ascend.abi.HeaderVerifier;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Reading the headers of a CANN toolkit as at the start of a program: once, in a fresh Java machine. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 0)
@Measurement(iterations = 1)
@Fork(9)
public class HeaderBenchmark {
    private Path folder = Path.of("");

    /** Writes the tree, so that it is in the system's memory. */
    @Setup
    public void write() throws IOException {
        folder = Files.createTempDirectory("weft-headers");
        SyntheticHeaders.write(folder);
    }

    /** Removes the tree. */
    @TearDown
    public void remove() throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /** The table and all headers. */
    @Benchmark
    public int read() {
        return HeaderVerifier.read(List.of(folder), AbiTable.load()).headers();
    }
}
