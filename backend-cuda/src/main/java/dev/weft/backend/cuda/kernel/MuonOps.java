package dev.weft.backend.cuda.kernel;

import dev.weft.Shape;
import dev.weft.op.NewtonSchulz;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;

/** Muon's step. */
final class MuonOps {
    private static final int THREADS = 256;
    private static final String MODULE = "muon";

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            NewtonSchulz.class,
            List.of(Way.simple("newtonSchulz", MuonOps::orthogonalise).scratch((op, chip) -> scratch(op))));

    private MuonOps() {}

    /**
     * Where the matrices lie in the workspace, in floats behind the norm: X and its successor {@code [small, large]}, A and
     * B {@code [small, small]}.
     */
    private record Layout(long small, long large) {
        private static final long NORM = Double.BYTES / Float.BYTES;

        static Layout of(long rows, long columns) {
            return new Layout(Math.min(rows, columns), Math.max(rows, columns));
        }

        long x(int step) {
            return NORM + step % 2 * small * large;
        }

        long a() {
            return NORM + 2 * small * large;
        }

        long b() {
            return a() + small * small;
        }

        long bytes() {
            return (b() + small * small) * Float.BYTES;
        }
    }

    private static long scratch(OpInstance op) {
        Shape g = op.inputs().getFirst().shape();
        return Layout.of(g.dim(0).maximum(), g.dim(1).maximum()).bytes();
    }

    private static void orthogonalise(Emit e) {
        KernelArguments args = e.arguments();
        NewtonSchulz op = (NewtonSchulz) e.op().op();
        long compute = op.compute().ordinal();
        long tall = args.dim(0, 0) > args.dim(0, 1) ? 1 : 0;
        Layout at = Layout.of(args.dim(0, 0), args.dim(0, 1));
        long small = at.small();
        long large = at.large();
        Grid elements = Grid.covering(small * large, THREADS);
        e.launch(MODULE, "newton_schulz_norm", Grid.of(1), THREADS, 0, compute);
        e.launch(MODULE, "newton_schulz_begin", elements, THREADS, 0, compute, tall, at.x(0));
        int steps = op.schedule().steps();
        for (int step = 0; step < steps; step++) {
            double[] abc = op.schedule().coefficients(step);
            long x = at.x(step);
            product(e, compute, 0, 1, new long[] {x, x, x, at.a()}, small, small, large, 1, large);
            long[] quadratic = {at.a(), at.a(), at.a(), at.b()};
            product(e, compute, abc[1], abc[2], quadratic, small, small, small, small, 1);
            long[] next = {x, at.b(), x, at.x(step + 1)};
            product(e, compute, abc[0], 1, next, small, large, small, large, 1);
        }
        e.launch(MODULE, "newton_schulz_end", elements, THREADS, 0, tall, at.x(steps));
    }

    /**
     * {@code out = p c + q a b}.
     *
     * @param at where c, a, b and out lie
     * @param term elements of b between terms of a sum
     * @param column elements of b between columns of out
     */
    private static void product(
            Emit e,
            long compute,
            double p,
            double q,
            long[] at,
            long rows,
            long columns,
            long length,
            long term,
            long column) {
        e.launch(
                MODULE,
                "newton_schulz_product",
                Grid.covering(rows * columns, THREADS),
                THREADS,
                0,
                compute,
                Double.doubleToRawLongBits(p),
                Double.doubleToRawLongBits(q),
                at[0],
                at[1],
                at[2],
                at[3],
                rows,
                columns,
                length,
                term,
                column);
    }
}
