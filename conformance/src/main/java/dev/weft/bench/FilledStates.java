package dev.weft.bench;

import dev.weft.TensorType;
import dev.weft.runtime.StateStore;

/** States as if there had been a text before. */
final class FilledStates {
    private FilledStates() {}

    /** Random values in every row of a state. */
    static void rows(StateStore states, String name, TensorType type, QuickWeights random) {
        long rows = type.shape().dim(0).maximum();
        long bytes = type.maxDataBytes() / rows;
        for (long row = 0; row < rows; row++) {
            states.write(name, row, random.values(type, bytes));
        }
    }
}
