package dev.weft.conformance.model;

import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.model.TokenSampler;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/** The primary gate: F32 arithmetic on exact weights. */
final class ExactChecks {
    /** Selections closer than this may fall either way. */
    private static final double MARGIN = 1e-5;

    private final ModelConformance suite;
    private final GoldenModel golden;

    ExactChecks(ModelConformance suite, GoldenModel golden) {
        this.suite = suite;
        this.golden = golden;
    }

    Stream<DynamicTest> tests() {
        Stream<DynamicTest> backbone = Stream.of(
                dynamicTest(golden + " fp32 prefill and traces", this::prefill),
                dynamicTest(golden + " fp32 decode after every split", this::decode),
                dynamicTest(golden + " fp32 greedy continuations", this::greedy));
        return hasMtp() ? Stream.concat(backbone, Stream.of(dynamicTest(golden + " fp32 MTP", this::mtp))) : backbone;
    }

    private boolean hasMtp() {
        try (GoldenTensors g = golden.tensors("fp32")) {
            return g.has("mtp.positions");
        }
    }

    private void prefill() {
        try (GoldenTensors g = golden.tensors("fp32")) {
            int[] ids = g.ints("input_ids");
            suite.withModel(golden, options(ids.length).maxTokens(ids.length).withTrace(), model -> {
                Compare.within("logits", model.newSession().appendAll(ids), g.rows("prefill_logits"), golden.gate());
                Traces traces = new Traces(model, g, ids.length);
                traces.streams(1e-4);
                traces.routes(MARGIN, 2e-5);
                traces.picks(MARGIN);
                traces.entries(1e-4);
            });
        }
    }

    private void decode() {
        try (GoldenTensors g = golden.tensors("fp32")) {
            int[] ids = g.ints("input_ids");
            suite.withModel(golden, options(ids.length), model -> {
                for (String name : g.names("decode.", ".logits")) {
                    int split = Integer.parseInt(name.split("\\.")[1]);
                    checkSplit(model, ids, split, g.rows(name));
                }
            });
        }
    }

    private void checkSplit(DeepSeekV4 model, int[] ids, int split, float[][] expected) {
        try (Session s = model.newSession()) {
            float[][] actual = new float[expected.length][];
            actual[0] = s.append(Arrays.copyOf(ids, split));
            for (int j = 1; j < expected.length; j++) {
                actual[j] = s.append(ids[split + j - 1]);
            }
            Compare.within("decode after " + split, actual, expected, golden.gate());
        }
    }

    private void greedy() {
        try (GoldenTensors g = golden.tensors("fp32")) {
            int[] ids = g.ints("input_ids");
            suite.withModel(golden, options(ids.length + 80), model -> {
                for (String name : g.names("greedy.", ".ids")) {
                    String stem = name.substring(0, name.length() - ".ids".length());
                    int[] prompt = g.has(stem + ".prompt_ids")
                            ? g.ints(stem + ".prompt_ids")
                            : Arrays.copyOf(ids, Integer.parseInt(stem.split("\\.")[1]));
                    checkGreedy(model, stem, prompt, g.ints(name), g.floats(stem + ".gap"));
                }
            });
        }
    }

    private static void checkGreedy(DeepSeekV4 model, String name, int[] prompt, int[] expected, float[] gaps) {
        try (Session s = model.newSession()) {
            float[] logits = s.append(prompt);
            for (int i = 0; i < expected.length && gaps[i] > 1e-3; i++) {
                int token = TokenSampler.argmax(logits);
                if (token != expected[i]) {
                    throw new AssertionError(name + " token " + i + ": found " + token + ", expected " + expected[i]
                            + " with a gap of " + gaps[i]);
                }
                logits = s.append(token);
            }
        }
    }

    private void mtp() {
        try (GoldenTensors g = golden.tensors("fp32")) {
            int[] ids = g.ints("input_ids");
            int[] positions = g.ints("mtp.positions");
            float[][] expected = g.rows("mtp.logits_at_pos");
            suite.withModel(golden, options(ids.length).withMtp(), model -> {
                try (Session s = model.newSession()) {
                    for (int i = 0; i < positions.length; i++) {
                        int p = positions[i];
                        s.append(Arrays.copyOfRange(ids, s.position(), p + 1));
                        Compare.within("MTP at " + p, s.draft(ids[p + 1]), expected[i], golden.gate());
                    }
                }
            });
        }
    }

    private static LoadOptions options(int context) {
        return LoadOptions.defaults().mode(NumericMode.FP32).maxContext(context);
    }
}
