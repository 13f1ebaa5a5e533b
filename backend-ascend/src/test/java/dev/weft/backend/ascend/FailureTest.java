package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceLostException;
import dev.weft.DeviceMemoryException;
import dev.weft.WeftException;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Failures injected at every point of loading and running: each gives one typed error, nothing stays behind, and a lost
 * device repeats its first cause until it is closed.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FailureTest {
    /** Tokens of the steps: a new number runs call by call, a repeated one is captured, then replayed. */
    private static final int[] STEPS = {3, 3, 3, 5, 3};

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

    private static Weft weft(String capture) {
        BackendConfig config = BackendConfig.DEFAULT.with(AscendOptions.CAPTURE, capture);
        return Weft.of(Backends.of(config, List.of(new AscendProvider())));
    }

    private static void runAll() {
        runAll("on");
    }

    private static void runAll(String capture) {
        try (Weft weft = weft(capture)) {
            List<float[]> outputs = Network.run(weft.device("ascend:0"), STEPS);
            for (int step = 0; step < STEPS.length; step++) {
                assertThat(outputs.get(step)).isEqualTo(Network.expected(Network.input(STEPS[step], step)));
            }
        }
    }

    @Test
    void withoutFailuresItWorks() {
        runAll();
    }

    /** Executors are kept there, and run again without their first phase. */
    @ParameterizedTest
    @ValueSource(strings = {"aclnnAddGetWorkspaceSize:561003", "aclnnAdd:161001", "aclnnAdd:207001", "aclnnMul:561000"})
    void anyCallMayFailWithoutGraphs(String failure) {
        anyCallMayFail(failure, "off");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "aclrtMalloc:207001",
                "aclrtMalloc:207018",
                "aclrtMallocHost:207001",
                "aclrtCreateStreamWithConfig:207008",
                "aclrtMemcpy:107000",
                "aclrtMemcpyAsync:107000",
                "aclrtSynchronizeStreamWithTimeout:107000",
                "aclnnAddGetWorkspaceSize:161002",
                "aclnnAddGetWorkspaceSize:561003",
                "aclnnAdd:161001",
                "aclnnMulGetWorkspaceSize:561000",
                "aclmdlRIExecuteAsync:107000"
            })
    void anyCallMayFail(String failure) {
        anyCallMayFail(failure, "on");
    }

    private void anyCallMayFail(String failure, String capture) {
        String function = failure.substring(0, failure.indexOf(':'));
        String code = failure.substring(failure.indexOf(':') + 1);
        int failures = 0;
        // what fails while a graph is recorded only makes the run slower, so one success is not the end
        for (int n = 1, successes = 0; successes < 10; n++) {
            assertThat(n).as("failures of " + failure).isLessThan(100);
            emulator.with("fail", function + ":" + n + ":" + code);
            try {
                runAll(capture);
                successes++;
            } catch (WeftException e) {
                failures++;
                successes = 0;
                assertThat(e).as(failure + " at " + n).isNotInstanceOf(DeviceLostException.class);
                assertThat(e.getMessage()).contains(code);
                if (function.equals("aclrtMalloc")) {
                    assertThat(e).isInstanceOf(DeviceMemoryException.class);
                }
            }
            assertThat(emulator.faults()).as(failure + " at " + n).isEmpty();
        }
        assertThat(failures).isPositive();
    }

    @Test
    void whatCannotBeCapturedRunsCallByCall() {
        emulator.with("fail", "aclmdlRICaptureBegin:1:107030");
        runAll();
    }

    @Test
    void capturesMayBeRequired() {
        emulator.with("fail", "aclmdlRICaptureBegin:1:107030");
        BackendConfig config = BackendConfig.DEFAULT.with(AscendOptions.CAPTURE, "require");
        try (Weft weft = Weft.of(Backends.of(config, List.of(new AscendProvider())))) {
            assertThatThrownBy(() -> Network.run(weft.device("ascend:0"), STEPS))
                    .isInstanceOf(CaptureException.class)
                    .hasMessageContainingAll("cannot be recorded", "107030");
        }
    }

    @ParameterizedTest
    @CsvSource({"507015, on", "507018, on", "507035, on", "507899, on", "507015, off"})
    void lossAtEveryTask(int code, String capture) {
        boolean lost = true;
        int n = 0;
        while (lost) {
            n++;
            assertThat(n).isLessThan(200);
            emulator.with("fail", "stream:" + n + ":" + code);
            lost = loses("" + code, capture);
            assertThat(emulator.faults()).as("loss at task " + n).isEmpty();
        }
        assertThat(n).as("tasks of the run").isGreaterThan(10);
    }

    /** Runs until the device is lost, then uses and closes everything. Returns whether it was lost. */
    private static boolean loses(String code, String capture) {
        try (Weft weft = weft(capture)) {
            Device device = weft.device("ascend:0");
            CompiledGraph compiled = device.compile(Network.graph());
            DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
            StateStore states = compiled.newStates();
            Execution execution = compiled.newExecution(weights, states);
            String first;
            try {
                for (int step = 0; step < STEPS.length; step++) {
                    Network.step(execution, STEPS[step], step);
                }
                return false;
            } catch (DeviceLostException e) {
                assertThat(e.getMessage()).contains("ascend:0 is lost", code);
                first = e.getMessage();
            }
            String cause = Pattern.quote(first.substring(first.indexOf("first cause")));
            for (var use : List.<org.assertj.core.api.ThrowableAssert.ThrowingCallable>of(
                    () -> Network.step(execution, 3, 0),
                    () -> device.compile(Network.graph()),
                    compiled::newStates,
                    () -> compiled.newExecution(weights, states),
                    () -> device.tensor(dev.weft.TensorType.of(dev.weft.DType.F32, 4)))) {
                assertThatThrownBy(use)
                        .isInstanceOf(DeviceLostException.class)
                        .hasMessageMatching("(?s).*" + cause + ".*");
            }
            device.close();
            assertThat(Network.run(weft.device("ascend:0"), 2).getFirst())
                    .isEqualTo(Network.expected(Network.input(2, 0)));
            return true;
        }
    }

    @Test
    void anotherDeviceIsNotAffected() {
        emulator.with("devices", "2").with("fail", "stream:1:507015");
        try (Weft weft = weft("on")) {
            Device other = weft.device("ascend:1");
            assertThatThrownBy(() -> Network.run(weft.device("ascend:0"), STEPS))
                    .isInstanceOf(DeviceLostException.class);
            assertThat(Network.run(other, 2).getFirst()).isEqualTo(Network.expected(Network.input(2, 0)));
        }
    }
}
