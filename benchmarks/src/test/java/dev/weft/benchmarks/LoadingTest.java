package dev.weft.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.benchmarks.llama.AgainstLlama;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class LoadingTest {
    @TempDir
    private Path folder;

    @Test
    void freshMemoryIsZeroAndWritable() {
        try (FreshMemory memory = new FreshMemory(3 << 20)) {
            ByteBuffer part = memory.at(1 << 20, 4096);
            assertThat(part.getLong(0)).isZero();
            part.putLong(0, 7);
            assertThat(memory.at(1 << 20, 8).getLong(0)).isEqualTo(7);
        }
    }

    @Test
    void filesOfAnySizeAreReadToTheirEnd() throws IOException, InterruptedException {
        Files.write(folder.resolve("a.safetensors"), new byte[100_001]);
        Files.write(folder.resolve("b.safetensors"), new byte[3]);
        Files.write(folder.resolve("config.json"), new byte[9]);
        List<Path> files = Loading.shards(folder);
        assertThat(files).extracting(f -> f.getFileName().toString()).containsExactly("a.safetensors", "b.safetensors");
        Loading.read(files, 2);
        assertThatThrownBy(() -> Loading.read(List.of(folder), 1)).isInstanceOf(IOException.class);
    }

    @Test
    void whatIsWrongIsSaidInALine() {
        assertThat(error(new Loading(), 2, "--rounds", "0", "MODEL")).contains("--rounds: found 0, expected 1 or more");
        assertThat(error(new Loading(), 1, folder.toString())).hasLineCount(1).contains("no .safetensors file");
        assertThat(error(new Loading(), 1, folder.resolve("none").toString()))
                .hasLineCount(1)
                .contains("none: is not there");
        assertThat(error(new AgainstLlama(), 2, "--threads", "0", "MODEL", "GGUF"))
                .contains("--threads: found 0");
        assertThat(error(new AgainstLlama(), 1, folder.toString(), "GGUF")).hasLineCount(1);
    }

    private static String error(Callable<Integer> program, int code, String... arguments) {
        StringWriter err = new StringWriter();
        CommandLine line = Program.of(program).setErr(new PrintWriter(err, true));
        assertThat(line.execute(arguments)).as(err.toString()).isEqualTo(code);
        return err.toString().strip();
    }
}
