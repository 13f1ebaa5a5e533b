package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Repeated steps replay graphs with the same results as call by call, for any order of extents and any room for graphs. */
class CaptureTest {
    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start().with("delay", "100");
    }

    @AfterEach
    void stop() {
        if (emulator != null) {
            emulator.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"on, 8", "on, 2", "on, 1", "off, 8", "require, 3"})
    void stepsOfChangingExtents(String capture, String graphs) {
        BackendConfig config =
                BackendConfig.DEFAULT.with(CudaOptions.CAPTURE, capture).with(CudaOptions.GRAPHS, graphs);
        try (Weft weft = Weft.of(Backends.of(config, List.of(new CudaProvider())))) {
            CompiledGraph compiled = weft.device("cuda:0").compile(Network.graph());
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states)) {
                for (int step = 0; step < 60; step++) {
                    int tokens = 1 + step / 3 * 7 % 5;
                    assertThat(Network.step(execution, tokens, step))
                            .as("step " + step)
                            .isEqualTo(Network.expected(Network.input(tokens, step)));
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1", "2"})
    void executionsOfOneGraphShareADevice(int graphs) {
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.GRAPHS, "" + graphs);
        try (Weft weft = Weft.of(Backends.of(config, List.of(new CudaProvider())))) {
            CompiledGraph compiled = weft.device("cuda:0").compile(Network.graph());
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates();
                    Execution a = compiled.newExecution(weights, states);
                    Execution b = compiled.newExecution(weights, states)) {
                for (int step = 0; step < 10; step++) {
                    assertThat(Network.step(a, 3, step)).isEqualTo(Network.expected(Network.input(3, step)));
                    assertThat(Network.step(b, 4, step)).isEqualTo(Network.expected(Network.input(4, step)));
                }
            }
        }
    }
}
