package dev.weft.benchmarks.llama;

import java.io.IOException;
import java.nio.file.Path;

/**
 * Writes a checkpoint as a GGUF file: {@code ExportGguf CHECKPOINT FILE.gguf [BF16]}. FP8 matrices become Q8_0, which has
 * their size, or with the third argument BF16, which has their values.
 */
public final class ExportGguf {
    private ExportGguf() {}

    /** @param args folder of the checkpoint, file to write, and optionally {@code BF16} */
    public static void main(String[] args) throws IOException {
        if (args.length < 2 || args.length > 3) {
            throw new IllegalArgumentException(
                    "found " + args.length + " arguments, expected CHECKPOINT FILE.gguf [BF16]");
        }
        GgmlType fp8As = args.length == 2 ? GgmlType.Q8_0 : GgmlType.valueOf(args[2]);
        V4Gguf.convert(Path.of(args[0]), Path.of(args[1]), fp8As);
    }
}
