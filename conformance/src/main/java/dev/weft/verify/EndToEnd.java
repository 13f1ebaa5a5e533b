package dev.weft.verify;

import java.util.List;

/**
 * How far the outputs of a run are from the reference's, errors of all nodes piled up.
 *
 * @param rows rows compared: of a model the logits of the prefill, then those of the decoded tokens; of other graphs the
 *     rows of all outputs
 * @param agreeing rows whose largest element, of logits the most likely token, is the same
 * @param nmse normalised squared error over all rows, those elements left out that the reference has as NaN or infinite
 * @param largest largest absolute difference; infinite where NaN or infinities differ
 * @param row where that is
 * @param token where that is: the column
 */
public record EndToEnd(int rows, int agreeing, double nmse, double largest, int row, int token) {
    /** Compares outputs, one array per row. */
    static EndToEnd of(List<float[]> expected, List<float[]> found) {
        int agreeing = 0;
        double error = 0;
        double norm = 0;
        double largest = 0;
        int row = 0;
        int token = 0;
        for (int r = 0; r < expected.size(); r++) {
            float[] e = expected.get(r);
            float[] f = found.get(r);
            for (int i = 0; i < e.length; i++) {
                double distance = Float.compare(e[i], f[i]) == 0 ? 0 : Math.abs((double) f[i] - e[i]);
                distance = Double.isNaN(distance) ? Double.POSITIVE_INFINITY : distance;
                error += distance * distance;
                norm += Float.isFinite(e[i]) ? (double) e[i] * e[i] : 0;
                if (distance > largest) {
                    largest = distance;
                    row = r;
                    token = i;
                }
            }
            agreeing += argMax(e) == argMax(f) ? 1 : 0;
        }
        return new EndToEnd(expected.size(), agreeing, error == 0 ? 0 : error / norm, largest, row, token);
    }

    private static int argMax(float[] row) {
        int best = 0;
        for (int i = 1; i < row.length; i++) {
            best = row[i] > row[best] ? i : best;
        }
        return best;
    }
}
