package dev.weft.cli;

import dev.weft.bench.ModelBench;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** Options that say what is asked of a model; every combination is a test. */
final class BenchModelTests {
    private static final List<Integer> PROMPT = List.of(512);
    private static final List<Integer> GENERATE = List.of(128);

    @Option(
            names = {"-p", "--prompt"},
            paramLabel = "N",
            split = ",",
            description = "Tokens of prompts; 0 for none. Default: 512, none with -pg alone.")
    private List<Integer> prompts = List.of();

    @Option(
            names = {"-n", "--generate"},
            paramLabel = "N",
            split = ",",
            description = "Tokens to decode; 0 for none. Default: 128, none with -pg alone.")
    private List<Integer> generates = List.of();

    @Option(
            names = "-pg",
            paramLabel = "N,M",
            description = "A prompt and tokens decoded after it, timed together. Repeatable.")
    private List<String> both = List.of();

    @Option(
            names = {"-d", "--depth"},
            paramLabel = "N",
            split = ",",
            defaultValue = "0",
            description = "Tokens of context before the test. Default: ${DEFAULT-VALUE}.")
    private List<Integer> depths = List.of();

    @Option(
            names = {"-b", "--batch"},
            paramLabel = "N",
            split = ",",
            defaultValue = "1",
            description = "Sequences side by side. Default: ${DEFAULT-VALUE}.")
    private List<Integer> batches = List.of();

    /** All tests in order. @throws UsageException if a number is wrong or there is nothing to do */
    List<ModelBench> all() {
        batches.forEach(b -> BenchOptions.positive("--batch", b));
        depths.forEach(d -> notNegative("--depth", d));
        boolean alone = !both.isEmpty() && prompts.isEmpty() && generates.isEmpty();
        List<int[]> sizes = new ArrayList<>();
        for (int p : prompts.isEmpty() && !alone ? PROMPT : prompts) {
            sizes.add(new int[] {notNegative("--prompt", p), 0});
        }
        for (int n : generates.isEmpty() && !alone ? GENERATE : generates) {
            sizes.add(new int[] {0, notNegative("--generate", n)});
        }
        both.forEach(pair -> sizes.add(pair(pair)));
        sizes.removeIf(s -> s[0] + s[1] == 0);
        if (sizes.isEmpty()) {
            throw new UsageException("-p, -n: found 0 of both, expected a size of 1 or more of one of them");
        }
        List<ModelBench> tests = new ArrayList<>();
        for (int depth : depths) {
            for (int batch : batches) {
                sizes.forEach(s -> tests.add(new ModelBench(s[0], s[1], depth, batch)));
            }
        }
        return tests;
    }

    private static int[] pair(String text) {
        if (!text.matches("[1-9][0-9]{0,8},[1-9][0-9]{0,8}")) {
            throw new UsageException("-pg: found '" + text + "', expected two numbers of 1 or more, as in 512,128");
        }
        String[] parts = text.split(",");
        return new int[] {Integer.parseInt(parts[0]), Integer.parseInt(parts[1])};
    }

    private static int notNegative(String option, int value) {
        if (value < 0) {
            throw new UsageException(option + ": found " + value + ", expected 0 or more");
        }
        return value;
    }
}
