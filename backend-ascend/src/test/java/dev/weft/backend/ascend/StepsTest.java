package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceLostException;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Steps of a whole, small V4 model: what they leave behind, how many operators they launch, and what the loss of the device
 * in the middle of one does.
 */
@Tag("long")
class StepsTest {
    private static final int[] PROMPT = {1, 5, 9, 13, 2};

    /** Decode steps after a prompt. */
    private static final int CYCLE = 40;

    /** {@code -Dweft.test.steps=10000} for the whole soak. */
    private static final int STEPS = Integer.getInteger("weft.test.steps", 600);

    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start().with("delay", "0");
    }

    @AfterEach
    void stop() {
        if (emulator != null) {
            emulator.close();
        }
    }

    /** Runs with a session of the model in BF16, then closes everything. */
    private static void inSession(String capture, Body body) throws IOException {
        BackendConfig config = BackendConfig.DEFAULT.with(AscendOptions.CAPTURE, capture);
        LoadOptions options =
                LoadOptions.defaults().mode(NumericMode.BF16).maxContext(256).maxTokens(8);
        try (Weft weft = Weft.of(Backends.of(config, List.of(new AscendProvider())));
                Checkpoint checkpoint = Checkpoint.open(GoldenModel.micro().directory());
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device("ascend:0"), options);
                Session session = model.newSession()) {
            body.run(session);
        }
    }

    private interface Body {
        void run(Session session) throws IOException;
    }

    /** Logits of the prompt and of some steps after it. */
    private static float[][] decode(Session session, int steps) {
        float[][] logits = new float[1 + steps][];
        session.reset();
        logits[0] = session.append(PROMPT);
        for (int i = 0; i < steps; i++) {
            logits[1 + i] = session.append(3 + i);
        }
        return logits;
    }

    @ParameterizedTest
    @CsvSource({"on, 1", "off, 4"})
    void soak(String capture, int share) throws IOException {
        inSession(capture, session -> {
            float[][] expected = decode(session, CYCLE);
            decode(session, CYCLE);
            long objects = emulator.count("objects");
            long device = emulator.count("device");
            long pinned = emulator.count("pinned");
            long resident = SoakTest.residentBytes();
            for (int step = 0; step < STEPS / share; step += CYCLE + 1) {
                assertThat(decode(session, CYCLE)).as("steps from " + step).isDeepEqualTo(expected);
            }
            assertThat(emulator.count("objects")).as("handles").isEqualTo(objects);
            assertThat(emulator.count("device")).as("bytes of device memory").isEqualTo(device);
            assertThat(emulator.count("pinned")).as("pinned blocks").isEqualTo(pinned);
            assertThat(SoakTest.residentBytes() - resident)
                    .as("growth of resident bytes")
                    .isLessThan(SoakTest.GROWTH);
        });
    }

    /** With graphs a step is one submission; without, few operators need their first phase again. */
    @Test
    void repeatedStepsPlanNothingAnew() throws IOException {
        inSession("on", session -> {
            decode(session, 3);
            long before = emulator.count("first phases");
            session.append(7);
            assertThat(emulator.count("first phases")).isEqualTo(before);
        });
        inSession("off", session -> {
            decode(session, 3);
            long first = emulator.count("first phases");
            long second = emulator.count("second phases");
            session.append(7);
            long launches = emulator.count("second phases") - second;
            assertThat(launches).isPositive();
            assertThat(emulator.count("first phases") - first).isLessThan(launches / 4);
        });
    }

    @Test
    void lossInTheMiddleOfAnyStep() throws IOException {
        long launches = launches();
        for (int i = 1; i < 12; i++) {
            boolean graphs = i % 2 == 0;
            // with graphs only the prompt and the first of the six steps go operator by operator
            long at = (graphs ? launches / 4 : launches) * i / 12;
            emulator.with("fail", "stream:" + at + ":507015");
            inSession(graphs ? "on" : "off", session -> {
                assertThatThrownBy(() -> decode(session, 6))
                        .isInstanceOf(DeviceLostException.class)
                        .hasMessageContainingAll("ascend:0 is lost", "first cause", "507015");
                assertThatThrownBy(() -> session.append(3))
                        .isInstanceOf(DeviceLostException.class)
                        .hasMessageContaining("507015");
            });
            assertThat(emulator.faults()).as("loss at task " + at).isEmpty();
        }
    }

    /** Of a prompt and six steps without graphs. */
    private long launches() throws IOException {
        long[] launches = new long[1];
        inSession("off", session -> {
            decode(session, 6);
            launches[0] = emulator.count("second phases");
        });
        return launches[0];
    }
}
