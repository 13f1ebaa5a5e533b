package dev.weft.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CheckpointException;
import dev.weft.DType;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {
    @TempDir
    Path folder;

    @Test
    void whatIsWrittenIsReadBack() {
        Path file = folder.resolve("out.safetensors");
        float[] many = new float[700_000];
        for (int i = 0; i < many.length; i++) {
            many[i] = i * 0.5f;
        }
        try (SafetensorsWriter w = SafetensorsWriter.to(file)
                .metadata("note", "\u00fc\"")
                .tensor("none", DType.F32, 0, 3)
                .tensor("many", DType.F32, 7, 100_000)
                .tensor("bytes", DType.U8, 3)
                .tensor("ids", DType.I32, 2)
                .tensor("long", DType.I64)
                .tensor("also none", DType.BF16, 0)
                .open()) {
            w.write("many", many);
            w.write("bytes", new byte[] {1});
            w.write("bytes", new byte[] {2, 3});
            w.write("ids", new int[] {-1, 1 << 30});
            w.write("long", new long[] {Long.MIN_VALUE});
            w.finish();
        }
        try (SafetensorsFile f = SafetensorsFile.open(file)) {
            assertThat(f.names()).containsExactly("none", "many", "bytes", "ids", "long", "also none");
            assertThat(f.metadata()).containsEntry("note", "\u00fc\"");
            assertThat(f.find("none").orElseThrow().offset() % 8).isZero();
            assertThat(f.data("many").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED)).isEqualTo(many);
            assertThat(f.data("bytes").toArray(ValueLayout.JAVA_BYTE)).containsExactly(1, 2, 3);
            assertThat(f.data("ids").toArray(ValueLayout.JAVA_INT_UNALIGNED)).containsExactly(-1, 1 << 30);
            assertThat(f.data("long").get(ValueLayout.JAVA_LONG_UNALIGNED, 0)).isEqualTo(Long.MIN_VALUE);
        }
    }

    @Test
    void wrongOrderOverflowAndIncompleteAreRefusedAndLeaveNoFile() throws IOException {
        Path file = folder.resolve("out.safetensors");
        try (SafetensorsWriter w = SafetensorsWriter.to(file)
                .tensor("a", DType.F32, 2)
                .tensor("b", DType.F32, 1)
                .open()) {
            assertThatThrownBy(() -> w.write("b", new float[1]))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("tensor b, expected the next 8 bytes of tensor a");
            assertThatThrownBy(() -> w.write("a", new float[3]))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("found 12 bytes");
            w.write("a", new float[2]);
            assertThatThrownBy(w::finish)
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("tensor b is incomplete: found 0 of 4 bytes");
        }
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void namesAreUnique() {
        SafetensorsWriter.Declaration d =
                SafetensorsWriter.to(folder.resolve("x")).tensor("a", DType.F32);
        assertThatThrownBy(() -> d.tensor("a", DType.F32))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("'a' is reserved or declared twice");
        assertThatThrownBy(() -> d.tensor("__metadata__", DType.F32)).isInstanceOf(CheckpointException.class);
    }

    @Test
    void folderThatDoesNotExistIsAnError() {
        assertThatThrownBy(
                        () -> SafetensorsWriter.to(folder.resolve("absent/x")).open())
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("cannot be written");
    }

    @Test
    void sparseRestIsZero() {
        Path file = folder.resolve("x");
        try (SafetensorsWriter w = SafetensorsWriter.to(file)
                .tensor("a", DType.U8, 1)
                .tensor("b", DType.U8, 1L << 33)
                .open()) {
            w.write("a", new byte[] {7});
            w.finishSparse();
        }
        try (SafetensorsFile f = SafetensorsFile.open(file)) {
            assertThat(f.data("a").get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 7);
            assertThat(f.data("b").get(ValueLayout.JAVA_BYTE, (1L << 33) - 1)).isZero();
        }
    }
}
