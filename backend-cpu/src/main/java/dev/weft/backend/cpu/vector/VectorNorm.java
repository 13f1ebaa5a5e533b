package dev.weft.backend.cpu.vector;

import dev.weft.backend.cpu.Workers;
import dev.weft.op.RmsNorm;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** Root-mean-square normalisation, a row per item. */
final class VectorNorm {
    private VectorNorm() {}

    /** @param shared scratch arrays that no worker uses otherwise */
    static void run(Workers workers, Scratch[] scratch, Scratch shared, RmsNorm op, Operands a) {
        Rows x = Rows.of(a, 0);
        Rows y = Rows.of(a, 2);
        int width = x.width();
        int padded = Lanes.whole(width);
        float[] weights = shared.floats(0, padded);
        Rows.of(a, 1).decode(0, weights, 0);
        workers.parallelFor(x.rows(), (row, worker) -> {
            float[] values = scratch[worker].floats(0, padded);
            Arrays.fill(values, width, padded, 0f);
            x.decode(row, values, 0);
            float factor = 1 / (float) Math.sqrt(Lanes.squares(values, padded) / width + op.eps());
            for (int i = 0; i < padded; i += Lanes.COUNT) {
                FloatVector v = FloatVector.fromArray(Lanes.SPECIES, values, i);
                v.mul(factor)
                        .mul(FloatVector.fromArray(Lanes.SPECIES, weights, i))
                        .intoArray(values, i);
            }
            y.store(row, values, 0);
        });
    }
}
