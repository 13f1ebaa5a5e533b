package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceLostException;
import dev.weft.RequestException;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Feed;
import dev.weft.model.LoadOptions;
import dev.weft.model.Session;
import dev.weft.model.StepShape;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** After warming up, the first step of a shape is a replay, and has the bits that it has without. */
class WarmUpTest {
    private static final int MOST = 3;

    private static final List<StepShape> SHAPES =
            List.of(StepShape.prompt(5), StepShape.decode(1), StepShape.decode(2), StepShape.decode(MOST));

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

    private interface Body {
        void run(DeepSeekV4 model);
    }

    private static final LoadOptions OPTIONS =
            LoadOptions.defaults().maxContext(128).maxTokens(8).maxSequences(MOST);

    private static void inModel(BackendConfig config, Body body) {
        inModel(config, OPTIONS, body);
    }

    private static void inModel(BackendConfig config, LoadOptions options, Body body) {
        inModel(GoldenModel.micro(), config, options, body);
    }

    private static void inMtpModel(String graphs, int context, Body body) {
        Optional<GoldenModel> model = GoldenModel.all().stream()
                .filter(m -> m.name().equals("tiny-flash"))
                .findFirst();
        Assumptions.assumeTrue(model.isPresent(), "the golden data are not here");
        LoadOptions options = OPTIONS.maxContext(context).withMtp();
        inModel(model.get(), capture("require").with(AscendOptions.GRAPHS, graphs), options, body);
    }

    private static void inModel(GoldenModel golden, BackendConfig config, LoadOptions options, Body body) {
        try (Weft weft = Weft.of(Backends.of(config, List.of(new AscendProvider())));
                Checkpoint checkpoint = Checkpoint.open(golden.directory());
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device("ascend:0"), options)) {
            body.run(model);
        }
    }

    private static BackendConfig capture(String capture) {
        return BackendConfig.DEFAULT.with(AscendOptions.CAPTURE, capture);
    }

    /** One real step of each shape, in order; each sequence has logits of its own. */
    private static List<Runnable> steps(DeepSeekV4 model, List<float[]> logits) {
        List<Session> sessions = new ArrayList<>();
        for (int i = 0; i < MOST; i++) {
            sessions.add(model.newSession());
        }
        List<Runnable> steps = new ArrayList<>();
        for (StepShape shape : SHAPES) {
            steps.add(() -> {
                List<Feed> feeds = new ArrayList<>();
                for (int i = 0; i < shape.sequences(); i++) {
                    int[] tokens = new int[shape.tokens()];
                    for (int t = 0; t < tokens.length; t++) {
                        tokens[t] = 3 + 7 * i + t;
                    }
                    feeds.add(new Feed(sessions.get(i), tokens, shape.want()));
                }
                model.step(feeds).forEach(rows -> logits.addAll(List.of(rows)));
            });
        }
        return steps;
    }

    private static float[][] cold(String capture) {
        List<float[]> logits = new ArrayList<>();
        inModel(capture(capture), model -> steps(model, logits).forEach(Runnable::run));
        return logits.toArray(float[][]::new);
    }

    @ParameterizedTest
    @ValueSource(strings = {"require", "off"})
    void firstStepsAreReplays(String capture) {
        float[][] expected = cold(capture);
        List<float[]> logits = new ArrayList<>();
        inModel(capture(capture), model -> {
            long free = model.memory().freePages();
            model.warmUp(SHAPES);
            assertThat(model.memory().freePages()).isEqualTo(free);
            long objects = emulator.count("objects");
            long memory = emulator.count("device");
            for (Runnable step : steps(model, logits)) {
                long first = emulator.count("first phases");
                long second = emulator.count("second phases");
                step.run();
                long planned = emulator.count("first phases") - first;
                long launched = emulator.count("second phases") - second;
                // without graphs some operators cannot be repeated
                assertThat(planned).isLessThanOrEqualTo(capture.equals("off") ? launched / 4 : 0);
            }
            assertThat(emulator.count("objects")).as("handles").isEqualTo(objects);
            assertThat(emulator.count("device")).as("bytes of device memory").isEqualTo(memory);
        });
        assertThat(logits.toArray(float[][]::new)).isDeepEqualTo(expected);
    }

    /** Prompts of all lengths come between answers. */
    @Test
    void shapesOfOneStepDoNotCoolItDown() {
        inModel(capture("require").with(AscendOptions.GRAPHS, "1"), model -> {
            model.warmUp(List.of(StepShape.decode(1)));
            try (Session session = model.newSession()) {
                for (int tokens = 2; tokens < 6; tokens++) {
                    session.append(new int[tokens]);
                    long before = emulator.count("first phases");
                    session.append(7);
                    assertThat(emulator.count("first phases"))
                            .as("after a prompt of " + tokens)
                            .isEqualTo(before);
                }
            }
        });
    }

    /** The block is a row behind: a sequence of which a shape leaves no room for a third run has begun anew in between. */
    @ParameterizedTest
    @ValueSource(ints = {64, 17, 10})
    void longShapesOfAnMtpBlock(int context) {
        StepShape shape = StepShape.prompt(8);
        inMtpModel("2", context, model -> {
            model.warmUp(List.of(shape));
            try (Session session = model.newSession()) {
                session.append(7);
                long before = emulator.count("first phases");
                model.step(List.of(new Feed(session, new int[shape.tokens()], shape.want())));
                session.draft(7);
                assertThat(emulator.count("first phases")).isEqualTo(before);
            }
        });
    }

    @Test
    void shapesOfAnMtpBlockCount() {
        inMtpModel("1", 128, model -> {
            assertThatThrownBy(() -> model.warmUp(List.of(StepShape.prompt(8))))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContainingAll("found 2 shapes", "backbone");
            assertThatThrownBy(() -> model.warmUp(List.of(StepShape.decode(1))))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContainingAll("found 2 shapes", "MTP block");
        });
    }

    @Test
    void moreShapesThanGraphsAreRefused() {
        inModel(BackendConfig.DEFAULT.with(AscendOptions.GRAPHS, "3"), model -> {
            assertThatThrownBy(() -> model.warmUp(SHAPES))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContainingAll("found 4 shapes", "at most 3", "ascend:0 keeps recordings");
            model.warmUp(SHAPES.subList(1, 4));
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 400, 1500})
    void lossIsReported(int task) {
        emulator.with("fail", "stream:" + task + ":507015");
        inModel(
                capture("on"),
                model -> assertThatThrownBy(() -> model.warmUp(SHAPES))
                        .isInstanceOf(DeviceLostException.class)
                        .hasMessageContainingAll("ascend:0 is lost", "507015"));
    }

    @Test
    void aRequiredGraphThatCannotBeRecordedIsReported() {
        emulator.with("fail", "aclmdlRICaptureBegin:1:107000");
        inModel(capture("require"), model -> {
            assertThatThrownBy(() -> model.warmUp(SHAPES))
                    .isInstanceOf(CaptureException.class)
                    .hasMessageContainingAll("cannot be recorded", "107000");
            assertThat(model.memory().freePages()).isEqualTo(model.memory().pages());
        });
    }
}
