package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.NewtonSchulz;
import org.junit.jupiter.api.Test;

/** Muon's orthogonalisation, alone and inside two optimiser steps. */
class MuonGoldenTest {
    private static final NewtonSchulz BF16 = new NewtonSchulz(NewtonSchulz.Schedule.QUINTIC, DType.BF16);
    private static final float LEARNING_RATE = 0.02f;
    private static final float WEIGHT_DECAY = 0.1f;
    private static final float MOMENTUM = 0.95f;

    private final GoldenTensors golden = GoldenTensors.ops();

    @Test
    void orthogonalisation() {
        Operand y = RefRun.one(BF16, Operand.of(golden, "muon_ns.in"));
        Deviation.assertAbsolute("muon_ns", 2e-2, golden.floats("muon_ns.out_bf16"), y.floats());
    }

    /** Momentum with a Nesterov look-ahead, decay, then the orthogonalised update; wide matrices keep the rate. */
    @Test
    void twoSteps() {
        float[] parameter = golden.floats("muon_step.param0");
        float[] momentum = new float[parameter.length];
        for (int step = 0; step < 2; step++) {
            float[] gradient = golden.floats("muon_step.grad" + step);
            float[] ahead = new float[parameter.length];
            for (int i = 0; i < ahead.length; i++) {
                momentum[i] += (1 - MOMENTUM) * (gradient[i] - momentum[i]);
                ahead[i] = gradient[i] + MOMENTUM * (momentum[i] - gradient[i]);
            }
            float[] update = RefRun.one(BF16, Operand.f32(ahead, golden.shape("muon_step.param0")))
                    .floats();
            for (int i = 0; i < update.length; i++) {
                parameter[i] = parameter[i] * (1 - LEARNING_RATE * WEIGHT_DECAY) - LEARNING_RATE * update[i];
            }
            String name = "muon_step.param" + (step + 1);
            // 2e-2 on the update, which enters with the learning rate
            Deviation.assertAbsolute(name, 2e-2 * LEARNING_RATE * (step + 1), golden.floats(name), parameter);
        }
    }
}
