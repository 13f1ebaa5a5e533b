package dev.weft.plan;

import dev.weft.RequestException;

/**
 * What a deployment serves.
 *
 * @param context tokens that a decoded token sees
 * @param batch sequences in flight on all devices together
 * @param prompt tokens of a prompt
 * @param drafted tokens drafted per step, verified with the one that is sure
 * @param accepted mean of the drafted tokens that are kept
 */
public record Workload(long context, long batch, long prompt, int drafted, double accepted) {
    private static final int MAX_DRAFTED = 64;
    private static final long MAX_BATCH = 1L << 24;

    /** @throws RequestException if a value is out of range */
    public Workload {
        require(context >= 1 && context <= CostModel.MAX_CONTEXT, "context", context, "1 to " + CostModel.MAX_CONTEXT);
        require(batch >= 1 && batch <= MAX_BATCH, "batch", batch, "1 to " + MAX_BATCH);
        require(prompt >= 1 && prompt <= CostModel.MAX_CONTEXT, "prompt", prompt, "1 to " + CostModel.MAX_CONTEXT);
        require(drafted >= 0 && drafted <= MAX_DRAFTED, "drafted tokens", drafted, "0 to " + MAX_DRAFTED);
        require(accepted >= 0 && accepted <= drafted, "accepted drafts", accepted, "0 to " + drafted);
    }

    /**
     * Mean of the drafts that are kept if each is, provided that those before it are, with the same probability.
     *
     * @param drafted tokens drafted per step
     * @param probability 0 to 1
     */
    public static double accepted(int drafted, double probability) {
        double mean = 0;
        for (int i = drafted; i > 0; i--) {
            mean = probability * (1 + mean);
        }
        return mean;
    }

    /** Rows per sequence and step. */
    int rows() {
        return 1 + drafted;
    }

    private static void require(boolean condition, String what, Object found, String expected) {
        if (!condition) {
            throw new RequestException(what + ": found " + found + ", expected " + expected);
        }
    }
}
