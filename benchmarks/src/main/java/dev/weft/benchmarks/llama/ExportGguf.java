package dev.weft.benchmarks.llama;

import java.io.IOException;
import java.nio.file.Path;

/** Writes a checkpoint as a GGUF file: {@code ExportGguf CHECKPOINT FILE.gguf}. */
public final class ExportGguf {
    private ExportGguf() {}

    /** @param args folder of the checkpoint and file to write */
    public static void main(String[] args) throws IOException {
        if (args.length != 2) {
            throw new IllegalArgumentException("found " + args.length + " arguments, expected CHECKPOINT FILE.gguf");
        }
        V4Gguf.convert(Path.of(args[0]), Path.of(args[1]));
    }
}
