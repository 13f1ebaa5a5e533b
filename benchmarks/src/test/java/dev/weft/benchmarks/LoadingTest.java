package dev.weft.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
    void noRoundsAreRefused() {
        StringWriter err = new StringWriter();
        int code = new CommandLine(new Loading()).setErr(new PrintWriter(err)).execute("--rounds", "0", "MODEL");
        assertThat(code).isEqualTo(2);
        assertThat(err.toString()).contains("found --rounds 0", "1 or more");
    }
}
