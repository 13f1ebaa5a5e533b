package dev.weft.reference;

import dev.weft.op.EntryForm;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Compressed key-value entries, in one step and in many. */
class CompressGoldenTest {
    private final GoldenTensors golden = GoldenTensors.ops();

    private CompressorRun compressor(int ratio, EntryForm form) {
        return new CompressorRun(golden, "compressor" + ratio, ratio, ratio == 4, form);
    }

    @ParameterizedTest
    @CsvSource({"4", "128"})
    void oneStep(int ratio) {
        CompressorRun run = compressor(ratio, EntryForm.PLAIN);
        String name = "compressor" + ratio + ".out";
        Deviation.assertAbsolute(name, 5e-6, golden.floats(name), run.entries(run.tokens()));
    }

    @ParameterizedTest
    @CsvSource({"4", "128"})
    void quantisedEntries(int ratio) {
        CompressorRun run = compressor(ratio, EntryForm.FP8);
        String name = "compressor" + ratio + ".out_actquant64";
        // entries are below 4 in magnitude: one step of E4M3, an eighth of the value, is below 0.5
        Deviation.assertMost(name, 0.99, 5e-6, 0.5, golden.floats(name), run.entries(run.tokens()));
    }

    /** A row's bits do not depend on how the sequence was cut into steps. */
    @ParameterizedTest
    @CsvSource({"4, 10", "4, 1", "4, 8", "128, 200", "128, 1"})
    void stepByStep(int ratio, int firstStep) {
        CompressorRun run = compressor(ratio, EntryForm.PLAIN);
        int[] ends = IntStream.rangeClosed(firstStep, run.tokens()).toArray();
        Deviation.assertSameBits("compressor" + ratio + " steps", run.entries(run.tokens()), run.entries(ends));
    }

    @ParameterizedTest
    @CsvSource({"4, 7", "4, 13", "128, 50", "128, 130"})
    void chunks(int ratio, int chunk) {
        CompressorRun run = compressor(ratio, EntryForm.FP8);
        int steps = Math.ceilDiv(run.tokens(), chunk);
        int[] ends = IntStream.rangeClosed(1, steps)
                .map(i -> Math.min(i * chunk, run.tokens()))
                .toArray();
        Deviation.assertSameBits("compressor" + ratio + " chunks", run.entries(run.tokens()), run.entries(ends));
    }
}
