package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Cast;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Quantize;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Experts in INT8, on request, on products without narrow floats: named, close to the checkpoint's numbers, not equal. */
class Int8ExpertsTest {
    private static final int ROWS = 9;
    private static final int WIDTH = 256;
    private static final int EXPERTS = 3;
    private static final int OUT = 192;

    private static Graph graph() {
        GraphBuilder g = Graph.builder("experts");
        Value x = g.input("x", TensorType.of(DType.F32, ROWS, WIDTH));
        Value ends = g.input("offsets", TensorType.of(DType.I32, EXPERTS + 1));
        Value w =
                g.weight("w", TensorType.of(DType.F4_E2M1, EXPERTS, OUT, WIDTH).scaled(Scaling.MXFP4));
        Value codes = g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x);
        Value y = g.node(new ExpertGemm(DType.BF16), codes, w, ends);
        return g.output("y", g.node(new Cast(DType.F32), y)).build();
    }

    private static float[] run(Weft weft, String device, boolean int8) {
        CompiledGraph compiled = weft.device(device).compile(graph());
        String placement = compiled.placement().toString();
        assertThat(placement.contains("to INT8 by row")).as(placement).isEqualTo(int8);
        try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                StateStore states = compiled.newStates();
                Execution execution = compiled.newExecution(weights, states)) {
            float[] x = new float[ROWS * WIDTH];
            for (int i = 0; i < x.length; i++) {
                x[i] = (float) Math.sin(i);
            }
            execution.set("x", x).set("offsets", new int[] {0, 4, 4, ROWS}).run();
            return execution.floats("y");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Ascend910_9382", "Ascend910B1"})
    void deviateByAboutAPercent(String soc) {
        try (Emulator emulator = Emulator.start().with("soc", soc)) {
            try (Weft weft = Weft.of(Backends.of(BackendConfig.DEFAULT, List.of(new AscendProvider())))) {
                float[] exact = run(weft, "ascend:0", false);
                float[] int8 = run(weft, "ascend:0/int8", true);
                double error = 0;
                double square = 0;
                for (int i = 0; i < exact.length; i++) {
                    error += Math.pow(exact[i] - int8[i], 2);
                    square += Math.pow(exact[i], 2);
                }
                // a half step of a code against a typical value: a squared error of some 1e-4
                assertThat(error / square).isBetween(1e-6, 1e-3);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Ascend950DT_9591", "Ascend950PR_9589"})
    void areNotOfferedWhereTheCheckpointsFormatsRun(String soc) {
        try (Emulator emulator = Emulator.start().with("soc", soc);
                Weft weft = Weft.of(Backends.of(BackendConfig.DEFAULT, List.of(new AscendProvider())))) {
            assertThatThrownBy(() -> weft.device("ascend:0/int8"))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll("no variant 'int8' here", "[composite]");
        }
    }
}
