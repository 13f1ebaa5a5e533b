package dev.weft.benchmarks.llama;

import dev.weft.io.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/**
 * Whether two programs run the same model: the logits of {@code weft logits} against those of {@code llama_logits} for
 * the same ids, {@code LogitAgreement WEFT.safetensors LLAMA.f32}. Prints the quantiles of the relative error per row,
 * norm of the difference by norm of Weft's row. Both sides quantise differently, so a model whose router and indexer
 * have something to choose shows rows in which they chose differently; one with as many experts per token as experts
 * and an {@code index_topk} beyond the context has only rounding left.
 */
public final class LogitAgreement {
    private LogitAgreement() {}

    /** @param args the two files */
    public static void main(String[] args) throws IOException {
        if (args.length != 2) {
            throw new IllegalArgumentException(
                    "found " + args.length + " arguments, expected WEFT.safetensors LLAMA.f32");
        }
        ByteBuffer theirs =
                ByteBuffer.wrap(Files.readAllBytes(Path.of(args[1]))).order(ByteOrder.LITTLE_ENDIAN);
        try (Arena arena = Arena.ofConfined()) {
            SafetensorsFile file = SafetensorsFile.open(Path.of(args[0]), SafetensorsFile.DEFAULT_HEADER_LIMIT, arena);
            int vocabulary = (int) file.find("prefill_logits").orElseThrow().shape()[1];
            MemorySegment prefill = file.data("prefill_logits");
            // row 0 of the decode repeats the last one of the prefill
            MemorySegment decode = file.data("decode_logits").asSlice(4L * vocabulary);
            if (prefill.byteSize() + decode.byteSize() != theirs.remaining()) {
                throw new IllegalArgumentException("rows: found " + theirs.remaining() / 4 / vocabulary + " in "
                        + args[1] + ", expected " + (prefill.byteSize() + decode.byteSize()) / 4 / vocabulary);
            }
            print("prefill", prefill, theirs, vocabulary);
            print("decode", decode, theirs, vocabulary);
        }
    }

    private static void print(String name, MemorySegment ours, ByteBuffer theirs, int vocabulary) {
        double[] errors = new double[(int) (ours.byteSize() / 4 / vocabulary)];
        int sameBest = 0;
        for (int row = 0; row < errors.length; row++) {
            double difference = 0;
            double norm = 0;
            float ourMost = Float.NEGATIVE_INFINITY;
            float theirMost = Float.NEGATIVE_INFINITY;
            int ourBest = -1;
            int theirBest = -1;
            for (int i = 0; i < vocabulary; i++) {
                float our = ours.getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * vocabulary + i);
                float their = theirs.getFloat();
                difference += (double) (our - their) * (our - their);
                norm += (double) our * our;
                if (our > ourMost) {
                    ourMost = our;
                    ourBest = i;
                }
                if (their > theirMost) {
                    theirMost = their;
                    theirBest = i;
                }
            }
            errors[row] = Math.sqrt(difference / norm);
            sameBest += ourBest == theirBest ? 1 : 0;
        }
        Arrays.sort(errors);
        System.out.printf(
                Locale.ROOT,
                "%-8s %5d rows  relative error: median %.4f  p90 %.4f  largest %.4f  same best token %.1f %%%n",
                name,
                errors.length,
                errors[errors.length / 2],
                errors[errors.length * 9 / 10],
                errors[errors.length - 1],
                100.0 * sameBest / errors.length);
    }
}
