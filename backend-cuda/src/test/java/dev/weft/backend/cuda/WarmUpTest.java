package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.WeftException;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.Session;
import dev.weft.model.StepShape;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** After warming up, the first step of a shape is a replay, and has the bits that it has without. */
class WarmUpTest {
    /** The first launch that is no graph feeds a step its inputs; the second from now on fails. */
    private static final String NO_LAUNCH = "cuLaunchKernelEx:2:1";

    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
    }

    @AfterEach
    void stop() {
        if (emulator != null) {
            emulator.close();
        }
    }

    private static void inModel(Consumer<DeepSeekV4> body) {
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.CAPTURE, "require");
        LoadOptions options = LoadOptions.defaults().maxContext(128).maxTokens(8);
        try (Weft weft = Weft.of(Backends.of(config, List.of(new CudaProvider())));
                Checkpoint checkpoint = Checkpoint.open(GoldenModel.micro().directory());
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device("cuda:0"), options)) {
            body.accept(model);
        }
    }

    @ParameterizedTest
    @CsvSource({"on, true, 3", "off, false, 2147483647"})
    void recordingsAreBoundedWhereTheyAreMade(String capture, boolean replays, int recordings) {
        BackendConfig config =
                BackendConfig.DEFAULT.with(CudaOptions.CAPTURE, capture).with(CudaOptions.GRAPHS, "3");
        try (Weft weft = Weft.of(Backends.of(config, List.of(new CudaProvider())))) {
            assertThat(weft.device("cuda:0").replays()).isEqualTo(replays);
            assertThat(weft.device("cuda:0").recordings()).isEqualTo(recordings);
        }
    }

    @Test
    void firstStepsAreReplays() {
        float[][] logits = new float[2][];
        inModel(model -> {
            try (Session session = model.newSession()) {
                logits[0] = session.append(7);
            }
        });
        inModel(model -> {
            model.warmUp(List.of(StepShape.decode(1)));
            emulator.with("fail", NO_LAUNCH);
            try (Session session = model.newSession()) {
                logits[1] = session.append(7);
                assertThatThrownBy(() -> session.append(1, 2))
                        .as("a step of another shape")
                        .isInstanceOf(WeftException.class)
                        .hasMessageContaining("cuLaunchKernelEx");
            }
        });
        assertThat(logits[1]).isEqualTo(logits[0]);
    }
}
