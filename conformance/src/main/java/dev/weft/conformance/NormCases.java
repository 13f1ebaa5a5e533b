package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.op.Hadamard;
import dev.weft.op.HeadNorm;
import dev.weft.op.NewtonSchulz;
import dev.weft.op.RmsNorm;
import dev.weft.op.Rotary;
import dev.weft.op.RotaryParameters;
import java.util.stream.Stream;

/** Normalisations, rotations and the optimiser step: reductions along the last axis. */
final class NormCases {
    private static final float EPS = 1e-6f;

    /** Plain frequencies over 16 lanes. */
    static final RotaryParameters PLAIN = RotaryParameters.plain(16, 10000);

    private static final RotaryParameters YARN = new RotaryParameters(16, 160000, 16, 65536, 32, 1);

    private NormCases() {}

    static Stream<OpCase> all() {
        Stream.Builder<OpCase> cases = Stream.builder();
        for (DType d : PlainCases.FLOWS) {
            norms(d, cases);
            rotations(d, cases);
            newtonSchulz(d, cases);
        }
        return cases.build();
    }

    private static Operand withNan(DType d, long... extents) {
        return Operand.of(TensorType.of(d, extents), Data.random().withNan());
    }

    private static void norms(DType d, Stream.Builder<OpCase> cases) {
        int[] widths = {128, 1, 33, 130, 16, 256, 7, 17};
        for (int i = PlainCases.FLOWS.indexOf(d); i < widths.length; i += 2) {
            DType weight = PlainCases.FLOWS.get(i / 2 % 2);
            OpCase c = OpCase.of(
                    new RmsNorm(EPS), withNan(d, OpCases.ROWS[i], widths[i]), Operand.random(weight, widths[i]));
            cases.add(i % 4 < 2 ? c : c.withGaps(0));
        }
        cases.add(OpCase.of(new RmsNorm(EPS), Operand.random(d, 3, 5, 17), Operand.random(d, 17)));
        cases.add(OpCase.of(new RmsNorm(EPS), Operand.random(d, 2, 4096), Operand.random(d, 4096)));
        Operand zeros = Operand.of(TensorType.of(d, 3, 33), Data.constant(0));
        cases.add(OpCase.of(new RmsNorm(EPS), zeros, Operand.random(DType.F32, 33))
                .noted("zeros"));
        cases.add(OpCase.of(new HeadNorm(EPS), withNan(d, 7, 3, 33)).withGaps(0));
        cases.add(OpCase.of(new HeadNorm(EPS), Operand.random(d, 17, 1, 128)));
        cases.add(OpCase.of(new HeadNorm(EPS), Operand.random(d, 3, 16, 16)));
        cases.add(OpCase.of(new HeadNorm(EPS), Operand.random(d, 0, 3, 16)));
        cases.add(OpCase.of(new HeadNorm(EPS), Operand.random(d, 2, 2, 2056)));
        cases.add(OpCase.of(new HeadNorm(EPS), Operand.of(TensorType.of(d, 3, 1, 16), Data.constant(0)))
                .noted("zeros"));
    }

    private static void rotations(DType d, Stream.Builder<OpCase> cases) {
        for (int n : new int[] {1, 2, 16, 32, 128}) {
            cases.add(OpCase.of(new Hadamard(), withNan(d, 7, n)).withGaps(0));
        }
        cases.add(OpCase.of(new Hadamard(), Operand.random(d, 3, 5, 64)));
        cases.add(OpCase.of(new Hadamard(), Operand.random(d, 0, 64)));
        Data positions = Data.of(0, 1, 127, 128, 4095, 65535, 1_000_000);
        for (boolean inverse : new boolean[] {false, true}) {
            for (RotaryParameters p : new RotaryParameters[] {PLAIN, YARN}) {
                Rotary op = new Rotary(p, inverse);
                cases.add(OpCase.of(op, withNan(d, 17, 33), Operand.of(TensorType.of(DType.I32, 17), positions))
                        .withGaps(0));
                cases.add(
                        OpCase.of(op, Operand.random(d, 7, 3, 16), Operand.of(TensorType.of(DType.I32, 7), positions)));
            }
        }
        cases.add(OpCase.of(new Rotary(PLAIN, false), Operand.random(d, 0, 3, 16), Operand.ints(new int[0], 0)));
    }

    private static void newtonSchulz(DType compute, Stream.Builder<OpCase> cases) {
        for (NewtonSchulz.Schedule schedule : NewtonSchulz.Schedule.values()) {
            for (int[] s : new int[][] {{1, 1}, {16, 33}, {17, 7}}) {
                cases.add(OpCase.of(new NewtonSchulz(schedule, compute), Operand.random(DType.F32, s[0], s[1])));
            }
        }
    }
}
