package dev.weft.bench;

import dev.weft.TensorType;
import dev.weft.runtime.StateStore;

/** States as if there had been a text before. */
final class FilledStates {
    /** Bytes of a write: each waits for the device. */
    private static final long TOGETHER = 16 << 20;

    private FilledStates() {}

    /** Random values in every row of a state. */
    static void rows(StateStore states, String name, TensorType type, QuickWeights random) {
        long rows = type.shape().dim(0).maximum();
        long bytes = type.maxDataBytes() / rows;
        long together = Math.max(1, TOGETHER / bytes);
        for (long row = 0; row < rows; row += together) {
            states.write(name, row, random.values(type, Math.min(together, rows - row) * bytes));
        }
    }
}
