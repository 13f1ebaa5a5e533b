package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.op.LightningIndex;
import dev.weft.op.Tolerance;
import java.util.Set;
import java.util.TreeSet;

/**
 * Compares picked sets: they may differ only in entries whose scores tie within the tolerance of the flow. Entries with
 * the same key tie exactly, and there the lower one must win.
 */
final class PickComparison {
    private final LightningIndex op;
    private final HostTensor q;
    private final HostTensor w;
    private final HostTensor keys;
    private final HostTensor pages;

    private PickComparison(LightningIndex op, java.util.List<HostTensor> inputs) {
        this.op = op;
        this.q = inputs.get(0);
        this.w = inputs.get(1);
        this.keys = inputs.get(2);
        this.pages = inputs.get(5);
    }

    static void check(LightningIndex op, java.util.List<HostTensor> inputs, HostTensor expected, HostTensor found) {
        PickComparison c = new PickComparison(op, inputs);
        HostTensor positions = inputs.get(3);
        HostTensor starts = inputs.get(4);
        for (int s = 0; s + 1 < starts.size(); s++) {
            for (int i = (int) starts.code(s); i < starts.code(s + 1); i++) {
                c.checkRow(s, i, (int) (positions.code(i) + 1) / op.ratio(), expected, found);
            }
        }
    }

    private void checkRow(int sequence, int row, int visible, HostTensor expected, HostTensor found) {
        Set<Integer> missing = new TreeSet<>();
        Set<Integer> extra = new TreeSet<>();
        int count = Math.min(visible, op.topK());
        long last = -1;
        for (int j = 0; j < op.topK(); j++) {
            long at = (long) row * op.topK() + j;
            long pick = found.code(at);
            boolean legal = j < count ? pick > last && pick < visible : pick == -1;
            if (!legal) {
                throw new Mismatch("picks at [" + row + ", " + j + "]: found " + pick + ", expected "
                        + (j < count ? "an entry above " + last + " and below " + visible : "-1 past the last pick"));
            }
            last = pick;
            if (j < count) {
                missing.add((int) expected.code(at));
                extra.add((int) pick);
            }
        }
        Set<Integer> common = new TreeSet<>(missing);
        common.retainAll(extra);
        missing.removeAll(common);
        extra.removeAll(common);
        for (int m : missing) {
            for (int e : extra) {
                checkTie(sequence, row, visible, m, e);
            }
        }
    }

    private void checkTie(int sequence, int row, int visible, int missing, int extra) {
        double largest = 0;
        for (int j = 0; j < visible; j++) {
            largest = Math.max(largest, Math.abs(score(sequence, row, j)));
        }
        double limit = Tolerance.of(q.type().dtype()).relative() * largest;
        double distance = Math.abs(score(sequence, row, missing) - score(sequence, row, extra));
        boolean sameKey = true;
        for (int c = 0; c < keys.dim(2); c++) {
            sameKey &= keys.code(element(sequence, missing) + c) == keys.code(element(sequence, extra) + c);
        }
        if (sameKey || !(distance <= limit)) {
            throw new Mismatch("picks of row " + row + ": found entry " + extra + " with score "
                    + score(sequence, row, extra) + ", expected entry " + missing + " with score "
                    + score(sequence, row, missing)
                    + (sameKey ? " (equal keys: the lower entry wins)" : " (limit of a tie " + limit + ")"));
        }
    }

    private long element(int sequence, int entry) {
        int perPage = keys.dim(1);
        long page = pages.code((long) sequence * pages.dim(1) + entry / perPage);
        return (page * perPage + entry % perPage) * keys.dim(2);
    }

    /** The score by the contract's formula, with the roundings of the flow. */
    private double score(int sequence, int row, int entry) {
        DType flow = q.type().dtype();
        long key = element(sequence, entry);
        int width = q.dim(2);
        double sum = 0;
        for (int h = 0; h < q.dim(1); h++) {
            double dot = 0;
            for (int c = 0; c < width; c++) {
                dot += q.value(((long) row * q.dim(1) + h) * width + c) * keys.value(key + c);
            }
            float rounded = flow.round((float) dot);
            sum += flow.round(Math.max(rounded, 0) * (float) w.value((long) row * q.dim(1) + h));
        }
        return flow.round((float) sum);
    }
}
