package dev.weft.op;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.TensorType;
import java.util.List;

/**
 * Orthogonalisation step of the Muon optimiser. With {@code X = G / max(frobenius(G), 1e-7)} (transposed if taller than
 * wide), {@code steps} times {@code A = X X^T}, {@code X = a X + (b A + c A A) X}; transposed back.
 *
 * <p>g F32 {@code [n, m]}, y F32 {@code [n, m]}. With {@code compute} BF16 the norm, the first quotient, A,
 * {@code b A + c A A} and {@code a X + B X} are each rounded once to BF16. Coefficients are (3.4445, -4.7750, 2.0315); with HYBRID the last two of ten steps use
 * (2, -1.5, 0.5). Tolerance: 2e-2 in BF16. Source: specification section 10.
 *
 * @param schedule coefficients per step
 * @param compute F32 or BF16
 */
public record NewtonSchulz(Schedule schedule, DType compute) implements Op {
    /** Coefficient schedules. */
    public enum Schedule {
        /** Five steps of the quintic, as in the original optimiser. */
        QUINTIC(5, 5),
        /** Eight steps of the quintic and two of (2, -1.5, 0.5), as in the V4 report. */
        HYBRID(8, 10);

        private final int quintic;
        private final int steps;

        Schedule(int quintic, int steps) {
            this.quintic = quintic;
            this.steps = steps;
        }

        /** Number of steps. */
        public int steps() {
            return steps;
        }

        /** Coefficients a, b, c of a step. */
        public double[] coefficients(int step) {
            return step < quintic ? new double[] {3.4445, -4.7750, 2.0315} : new double[] {2, -1.5, 0.5};
        }
    }

    public NewtonSchulz {
        if (compute != DType.F32 && compute != DType.BF16) {
            throw new DTypeException("newtonSchulz: expected compute F32 or BF16: found " + compute);
        }
    }

    @Override
    public List<String> operands() {
        return List.of("g");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        return List.of(new Rules(this, in).rank(0, 2).dtype(0, DType.F32).at(0));
    }

    @Override
    public double flops(List<TensorType> in) {
        double n = in.getFirst().shape().dim(0).maximum();
        double m = in.getFirst().shape().dim(1).maximum();
        double small = Math.min(n, m);
        return schedule.steps() * (4.0 * n * m * small + 2.0 * small * small * small);
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return compute == DType.F32 ? new Tolerance(1e-8, 1e-4) : new Tolerance(1e-3, 2e-2);
    }
}
