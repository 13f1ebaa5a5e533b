package dev.weft.benchmarks;

import dev.weft.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** Encoding and decoding a text on one core. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class TokenizerBenchmark {
    /** A {@code tokenizer.json}. */
    @Param("examples/demo-model/tokenizer.json")
    public String tokenizer = "examples/demo-model/tokenizer.json";

    /** The text, UTF-8. */
    @Param("examples/demo-model/heldout.txt")
    public String text = "examples/demo-model/heldout.txt";

    private @Nullable Tokenizer loaded;
    private String content = "";
    private int[] ids = new int[0];
    private long bytes;

    /** Bytes of text per second beside the operations. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Bytes {
        /** Bytes done. */
        public long bytes;
    }

    /** Reads both files. */
    @Setup
    public void read() throws IOException {
        loaded = Tokenizer.load(Path.of(tokenizer));
        content = Files.readString(Path.of(text));
        bytes = content.getBytes(StandardCharsets.UTF_8).length;
        ids = loaded.encode(content);
    }

    private Tokenizer tokenizer() {
        Tokenizer t = loaded;
        if (t == null) {
            throw new IllegalStateException("benchmark: used before read");
        }
        return t;
    }

    /** Text to ids. */
    @Benchmark
    public int[] encode(Bytes done) {
        done.bytes += bytes;
        return tokenizer().encode(content);
    }

    /** Ids to text. */
    @Benchmark
    public String decode(Bytes done) {
        done.bytes += bytes;
        return tokenizer().decode(ids);
    }
}
