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
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Steps of a whole V4 model: what they leave behind, how many operators they launch, and what the loss of the device in the
 * middle of one does. Each is short here; properties make the soak, the sweep of losses and the model as large as wanted.
 */
@Tag("long")
class StepsTest {
    private static final int[] PROMPT = {1, 5, 9, 13, 2};

    /** Decode steps after a prompt. */
    private static final int CYCLE = 40;

    /** {@code -Dweft.test.steps=10000} for the whole soak. */
    private static final int STEPS = Integer.getInteger("weft.test.steps", 600);

    /** Tasks between two losses; {@code -Dweft.test.losses=1} for a loss at every task. */
    private static final int LOSSES = Integer.getInteger("weft.test.losses", 400);

    /** The first of these tasks; with it a long sweep runs in parts. */
    private static final int FIRST_LOSS = Integer.getInteger("weft.test.losses.first", 1);

    /** {@code -Dweft.test.model=FOLDER} for another model, as one of legal sizes that {@code weft synth} wrote. */
    private static final @Nullable String MODEL = System.getProperty("weft.test.model");

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
                Checkpoint checkpoint = Checkpoint.open(directory());
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device("ascend:0"), options);
                Session session = model.newSession()) {
            body.run(session);
        }
    }

    private static Path directory() {
        return MODEL == null ? GoldenModel.micro().directory() : Path.of(MODEL);
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

    /** What there is now. */
    private record Holdings(long handles, long device, long pinned, long resident) {
        static Holdings of(Emulator emulator) throws IOException {
            return new Holdings(
                    emulator.count("objects"),
                    emulator.count("device"),
                    emulator.count("pinned"),
                    SoakTest.residentBytes());
        }

        void assertNotAbove(Holdings start) {
            assertThat(handles).as("handles").isEqualTo(start.handles);
            assertThat(device).as("bytes of device memory").isEqualTo(start.device);
            assertThat(pinned).as("pinned blocks").isEqualTo(start.pinned);
            assertThat(resident - start.resident).as("growth of resident bytes").isLessThan(SoakTest.GROWTH);
        }
    }

    @ParameterizedTest
    @CsvSource({"on, 1", "off, 4"})
    void soak(String capture, int share, TestReporter reporter) throws IOException {
        inSession(capture, session -> {
            float[][] expected = decode(session, CYCLE);
            decode(session, CYCLE);
            Holdings start = Holdings.of(emulator);
            reporter.publishEntry("at the start", start.toString());
            int cycles = Math.ceilDiv(STEPS / share, CYCLE + 1);
            for (int cycle = 1; cycle <= cycles; cycle++) {
                assertThat(decode(session, CYCLE)).as("cycle " + cycle).isDeepEqualTo(expected);
                if (cycle == cycles / 2 || cycle == cycles) {
                    Holdings now = Holdings.of(emulator);
                    reporter.publishEntry("after " + cycle * (CYCLE + 1) + " steps", now.toString());
                    now.assertNotAbove(start);
                }
            }
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

    @ParameterizedTest
    @ValueSource(strings = {"on", "off"})
    void lossInTheMiddleOfAnyStep(String capture, TestReporter reporter) throws IOException {
        int points = 0;
        for (long at = FIRST_LOSS; loses(capture, at); at += LOSSES) {
            points++;
        }
        reporter.publishEntry("losses", Integer.toString(points));
        assertThat(points).isGreaterThan(3);
    }

    /** Runs with a loss at a task, and uses what is lost. Returns whether there was such a task. */
    private boolean loses(String capture, long at) throws IOException {
        boolean[] lost = new boolean[1];
        emulator.with("fail", "stream:" + at + ":507015");
        inSession(capture, session -> {
            try {
                decode(session, 6);
            } catch (DeviceLostException e) {
                lost[0] = true;
                assertThat(e).hasMessageContainingAll("ascend:0 is lost", "first cause", "507015");
                assertThatThrownBy(() -> session.append(3))
                        .isInstanceOf(DeviceLostException.class)
                        .hasMessageContaining("507015");
            }
        });
        assertThat(emulator.faults()).as("loss at task " + at).isEmpty();
        return lost[0];
    }
}
