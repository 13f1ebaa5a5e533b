package example;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.op.NewtonSchulz;
import dev.weft.runtime.Device;
import dev.weft.runtime.Tensor;
import dev.weft.runtime.Weft;
import java.util.SplittableRandom;

/**
 * One step of the Muon optimiser: the momentum of a weight matrix is made nearly orthogonal by Newton-Schulz iterations,
 * scaled to a root mean square of 0.2, and subtracted. Prints how far the rows of the update are from orthogonal.
 */
public final class Muon {
    private static final int ROWS = 64;
    private static final int COLUMNS = 256;
    private static final float LEARNING_RATE = 0.02f;
    private static final float MOMENTUM = 0.95f;
    private static final float RMS = 0.2f;

    private Muon() {}

    public static void main(String[] args) {
        float[] weight = random(1);
        float[] momentum = random(2);
        float[] gradient = random(3);
        for (int i = 0; i < momentum.length; i++) {
            momentum[i] = MOMENTUM * momentum[i] + gradient[i];
        }
        try (Weft weft = Weft.open()) {
            Device device = weft.best();
            for (NewtonSchulz.Schedule schedule : NewtonSchulz.Schedule.values()) {
                float[] update = orthogonal(device, momentum, schedule);
                float step = LEARNING_RATE * RMS * (float) Math.sqrt(Math.max(ROWS, COLUMNS));
                for (int i = 0; i < weight.length; i++) {
                    weight[i] -= step * update[i];
                }
                System.out.printf(
                        "%s on %s: rows of the momentum overlap by %.3f, rows of the update by %.3f%n",
                        schedule, device, overlap(momentum), overlap(update));
            }
        }
    }

    private static float[] orthogonal(Device device, float[] values, NewtonSchulz.Schedule schedule) {
        try (Tensor g = device.tensor(TensorType.of(DType.F32, ROWS, COLUMNS)).copyFrom(values);
                Tensor y = device.ops()
                        .run(new NewtonSchulz(schedule, DType.F32), g)
                        .getFirst()) {
            return y.toFloatArray();
        }
    }

    /** Largest product of two different rows, relative to the mean square of a row; 0 for orthogonal rows. */
    private static double overlap(float[] m) {
        double most = 0;
        double squares = 0;
        for (int a = 0; a < ROWS; a++) {
            for (int b = 0; b <= a; b++) {
                double product = 0;
                for (int i = 0; i < COLUMNS; i++) {
                    product += (double) m[a * COLUMNS + i] * m[b * COLUMNS + i];
                }
                if (a == b) {
                    squares += product;
                } else {
                    most = Math.max(most, Math.abs(product));
                }
            }
        }
        return most / (squares / ROWS);
    }

    private static float[] random(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[ROWS * COLUMNS];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
