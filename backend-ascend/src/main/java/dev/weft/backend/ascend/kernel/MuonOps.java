package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.NewtonSchulz;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.util.List;
import java.util.Map;

/** The orthogonalisation of the Muon optimiser. */
final class MuonOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS =
            Map.of(NewtonSchulz.class, List.of(Way.composite(MuonOps::newtonSchulz)));

    /**
     * Adding and subtracting it leaves multiples of 2^-10. Rows of the matrices have norms below 4, so that sums of
     * products of such numbers fit the 24 bits of F32 whatever their length.
     */
    private static final float COARSE = 0x1.8p13f;

    private MuonOps() {}

    private static void newtonSchulz(OpInstance op, Emit e) {
        NewtonSchulz o = (NewtonSchulz) op.op();
        AclType flow = AclType.of(o.compute());
        Calls c = new Calls(e);
        Ten g = c.dense(e.operand(0));
        boolean tall = g.dim(0) > g.dim(1);
        Ten x = NormOps.rounded(c, tall ? c.dense(g.transpose()) : g, flow);
        Ten norm = NormOps.rounded(c, c.sqrt(c.sum(c.mul(x, x).view(1, x.elements()))), flow);
        x = NormOps.rounded(c, c.div(x, c.clamp(norm, Scalar.of(1e-7f), null)), flow);
        for (int step = 0; step < o.schedule().steps(); step++) {
            double[] abc = o.schedule().coefficients(step);
            Ten a = NormOps.rounded(c, product(c, x, x.transpose(), flow), flow);
            Ten b = NormOps.rounded(c, sum(c, a, abc[1], product(c, a, a, flow), abc[2]), flow);
            x = NormOps.rounded(c, sum(c, x, abc[0], product(c, b, x, flow), 1), flow);
        }
        c.copy(tall ? x.transpose() : x, e.operand(1));
    }

    private static Ten sum(Calls c, Ten a, double p, Ten b, double q) {
        return c.add(c.scale(a, (float) p), q == 1 ? b : c.scale(b, (float) q));
    }

    /**
     * In a BF16 flow a last-bit difference of a sum may flip a rounding, which later steps amplify: small singular values
     * grow by 3.4 a step. So the product is formed of coarse parts, whose sums are exact, and small remainders.
     */
    private static Ten product(Calls c, Ten a, Ten b, AclType flow) {
        if (flow == AclType.FLOAT) {
            return multiply(c, a, b);
        }
        Ten coarseA = coarse(c, a);
        Ten coarseB = coarse(c, b);
        Ten remainders = c.add(multiply(c, coarseA, c.sub(b, coarseB)), multiply(c, c.sub(a, coarseA), b));
        return c.add(multiply(c, coarseA, coarseB), remainders);
    }

    private static Ten coarse(Calls c, Ten x) {
        return c.plus(c.plus(x, Scalar.of(COARSE)), Scalar.of(-COARSE));
    }

    private static Ten multiply(Calls c, Ten a, Ten b) {
        Ten y = c.emit().temp(AclType.FLOAT, a.dim(0), b.dim(1));
        c.matmul(a, b, y);
        return y;
    }
}
