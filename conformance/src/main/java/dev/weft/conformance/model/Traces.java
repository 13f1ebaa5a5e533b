package dev.weft.conformance.model;

import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.runtime.Execution;
import java.util.Arrays;

/** Values inside a traced prefill of all tokens, against the golden ones. */
final class Traces {
    private final DeepSeekV4 model;
    private final Execution execution;
    private final GoldenTensors golden;
    private final int tokens;

    Traces(DeepSeekV4 model, GoldenTensors golden, int tokens) {
        this.model = model;
        this.execution = model.execution();
        this.golden = golden;
        this.tokens = tokens;
    }

    /** Residual streams and sublayer inputs and outputs at the kept positions, relative to their deviation. */
    void streams(double limit) {
        int[] positions = golden.ints("positions");
        for (String name : golden.names("at_pos.", "")) {
            compareRows(name, execution.floats(name), golden.floats(name), positions, limit);
        }
        int[] all = java.util.stream.IntStream.range(0, tokens).toArray();
        for (String name : golden.names("all_pos.", "")) {
            compareRows(name, execution.floats("at_pos" + name.substring(7)), golden.floats(name), all, limit);
        }
    }

    private void compareRows(String name, float[] actual, float[] expected, int[] positions, double limit) {
        int width = actual.length / tokens;
        float[] picked = new float[positions.length * width];
        for (int i = 0; i < positions.length; i++) {
            System.arraycopy(actual, positions[i] * width, picked, i * width, width);
        }
        Compare.within(name, picked, expected, limit * Compare.deviation(expected));
    }

    /** Chosen experts where the margin is clear, and their weights. */
    void routes(double margin, double weightLimit) {
        for (int layer = 0; layer < model.config().numHiddenLayers(); layer++) {
            String stem = "layers." + layer + ".router.";
            int[] actual = execution.ints(stem + "indices");
            int[] expected = golden.ints(stem + "indices");
            float[] weights = execution.floats(stem + "weights");
            float[] expectedWeights = golden.floats(stem + "weights");
            float[] margins = golden.has(stem + "margin") ? golden.floats(stem + "margin") : null;
            int k = model.config().numExpertsPerTok();
            for (int t = 0; t < tokens; t++) {
                if (margins != null && margins[t] <= margin) {
                    continue;
                }
                if (!Arrays.equals(actual, t * k, t * k + k, expected, t * k, t * k + k)) {
                    throw new AssertionError(stem + "indices of token " + t + ": found "
                            + Arrays.toString(Arrays.copyOfRange(actual, t * k, t * k + k)) + ", expected "
                            + Arrays.toString(Arrays.copyOfRange(expected, t * k, t * k + k)));
                }
                Compare.within(
                        stem + "weights of token " + t,
                        Arrays.copyOfRange(weights, t * k, t * k + k),
                        Arrays.copyOfRange(expectedWeights, t * k, t * k + k),
                        weightLimit);
            }
        }
    }

    /** Picked blocks where the margin is clear. */
    void picks(double margin) {
        for (String name : golden.names("layers.", ".indexer.topk")) {
            int[] actual = execution.ints(name);
            int[] expected = golden.ints(name);
            String marginName = name.replace("topk", "margin");
            float[] margins = golden.has(marginName) ? golden.floats(marginName) : null;
            int k = expected.length / tokens;
            for (int t = 0; t < tokens; t++) {
                boolean clear = margins == null || margins[t] > margin;
                if (clear && !Arrays.equals(actual, t * k, t * k + k, expected, t * k, t * k + k)) {
                    throw new AssertionError(name + " of token " + t + ": found "
                            + Arrays.toString(Arrays.copyOfRange(actual, t * k, t * k + k)) + ", expected "
                            + Arrays.toString(Arrays.copyOfRange(expected, t * k, t * k + k)));
                }
            }
        }
    }

    /** Compressed entries; the only session's pages are in order. */
    void entries(double limit) {
        for (String suffix : new String[] {".compressed_kv", ".indexer.compressed_k"}) {
            for (String name : golden.names("layers.", suffix)) {
                float[] expected = golden.floats(name);
                float[] pool = execution.floats(name);
                int ratio = model.config().ratio(Integer.parseInt(name.split("\\.")[1]));
                int width = suffix.contains("indexer")
                        ? model.config().indexHeadDim()
                        : model.config().headDim();
                if (expected.length != tokens / ratio * width) {
                    throw new AssertionError(name + ": golden has " + expected.length + " values");
                }
                int perPage = LoadOptions.PAGE_TOKENS / ratio;
                if (pool.length / (perPage * width)
                        != model.options().maxContext() / LoadOptions.PAGE_TOKENS
                                + (model.options().maxContext() % LoadOptions.PAGE_TOKENS == 0 ? 0 : 1)) {
                    throw new AssertionError(name + ": pool has " + pool.length + " values");
                }
                float[] actual = Arrays.copyOf(pool, expected.length); // pages are whole and in order
                Compare.within(name, actual, expected, limit * Compare.deviation(expected));
            }
        }
    }
}
