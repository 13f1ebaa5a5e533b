package dev.weft.cli;

import dev.weft.DeviceId;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.runtime.Device;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One device's run of a fixed passage in exact-semantics mode: the logits, and how long they took.
 *
 * @param id the device
 * @param level what the device says about itself, the kernels in use included
 * @param logits rows of the prefill, then of the decoded tokens
 * @param speed from the fastest of the prefill's repetitions and the median time of a decoded token
 */
record DeviceTrial(DeviceId id, String level, List<float[]> logits, Speed speed) {
    /** How often a prefill is repeated at most: the first runs find code cold. */
    private static final int REPETITIONS = 5;

    /** Time after which neither prefill nor decode goes on for the sake of timing. */
    private static final long BUDGET_NANOS = 700_000_000L;

    /**
     * Loads the model and runs the passage.
     *
     * @param prefill tokens of the passage to run at once; the others follow one by one
     * @param compared decoded rows that are kept; at least these are run
     */
    static DeviceTrial run(
            Terminal terminal, Checkpoint checkpoint, Device device, int[] passage, int prefill, int compared) {
        LoadOptions options = LoadOptions.defaults()
                .mode(NumericMode.FP32)
                .maxContext(passage.length)
                .maxTokens(prefill);
        try (DeepSeekV4 model = LoadedModel.load(terminal, checkpoint, device, options);
                Session session = model.newSession()) {
            List<float[]> logits = new ArrayList<>();
            double prefillRate = Units.rate(prefill, prefill(session, Arrays.copyOf(passage, prefill), logits));
            long perToken = decode(session, Arrays.copyOfRange(passage, prefill, passage.length), compared, logits);
            return new DeviceTrial(
                    device.id(),
                    device.info().description(),
                    logits,
                    new Speed(device.info(), prefillRate, Units.rate(1, perToken)));
        }
    }

    /** Adds the rows of the tokens. @return nanoseconds of the fastest repetition */
    private static long prefill(Session session, int[] tokens, List<float[]> logits) {
        long begin = System.nanoTime();
        logits.addAll(List.of(session.appendAll(tokens)));
        long best = System.nanoTime() - begin;
        for (int i = 1; i < REPETITIONS && System.nanoTime() - begin < BUDGET_NANOS; i++) {
            session.reset();
            long start = System.nanoTime();
            session.appendAll(tokens);
            best = Math.min(best, System.nanoTime() - start);
        }
        return best;
    }

    /** Adds the rows of the first {@code kept} tokens. @return median nanoseconds of a token */
    private static long decode(Session session, int[] tokens, int kept, List<float[]> logits) {
        long begin = System.nanoTime();
        long[] nanos = new long[tokens.length];
        int done = 0;
        while (done < kept || (done < tokens.length && System.nanoTime() - begin < BUDGET_NANOS)) {
            long start = System.nanoTime();
            float[] row = session.append(tokens[done]);
            nanos[done] = System.nanoTime() - start;
            if (done < kept) {
                logits.add(row);
            }
            done++;
        }
        Arrays.sort(nanos, 0, done);
        return nanos[done / 2];
    }

    /** How this device's logits differ from a reference's. */
    Difference difference(DeviceTrial reference) {
        float largest = 0;
        int agreeing = 0;
        for (int i = 0; i < logits.size(); i++) {
            float[] a = logits.get(i);
            float[] b = reference.logits().get(i);
            for (int j = 0; j < a.length; j++) {
                largest = Math.max(largest, Math.abs(a[j] - b[j])); // NaN stays NaN
            }
            agreeing += argMax(a) == argMax(b) ? 1 : 0;
        }
        return new Difference(largest, agreeing, logits.size());
    }

    /**
     * A comparison of logits.
     *
     * @param largest largest absolute difference
     * @param agreeing rows whose most likely token is the same
     * @param rows rows compared
     */
    record Difference(float largest, int agreeing, int rows) {
        boolean within(double tolerance) {
            return largest <= tolerance;
        }
    }

    private static int argMax(float[] row) {
        int best = 0;
        for (int i = 1; i < row.length; i++) {
            best = row[i] > row[best] ? i : best;
        }
        return best;
    }
}
