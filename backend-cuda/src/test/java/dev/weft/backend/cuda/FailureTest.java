package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceLostException;
import dev.weft.DeviceMemoryException;
import dev.weft.UnsupportedOpException;
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

    private static Weft weft() {
        return Weft.of(Backends.of(BackendConfig.DEFAULT, List.of(new CudaProvider())));
    }

    private static void runAll() {
        try (Weft weft = weft()) {
            List<float[]> outputs = Network.run(weft.device("cuda:0"), STEPS);
            for (int step = 0; step < STEPS.length; step++) {
                assertThat(outputs.get(step)).isEqualTo(Network.expected(Network.input(STEPS[step], step)));
            }
        }
    }

    @Test
    void withoutFailuresItWorks() {
        runAll();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cuMemAlloc_v2:2",
                "cuMemHostAlloc:2",
                "cuStreamCreate:2",
                "cuMemcpyHtoDAsync_v2:1",
                "cuMemcpyDtoHAsync_v2:1",
                "cuModuleLoadDataEx:2",
                "cuModuleGetFunction:999",
                "cuFuncGetParamInfo:999",
                "cuLaunchKernelEx:1",
                "cuLaunchKernelEx:701",
                "cuGraphLaunch:1"
            })
    void anyCallMayFail(String failure) {
        String function = failure.substring(0, failure.indexOf(':'));
        String code = failure.substring(failure.indexOf(':') + 1);
        int failures = 0;
        // what fails while a graph is recorded only makes the run slower, so one success is not the end
        for (int n = 1, successes = 0; successes < 10; n++) {
            assertThat(n).as("failures of " + failure).isLessThan(100);
            emulator.with("fail", function + ":" + n + ":" + code);
            try {
                runAll();
                successes++;
            } catch (WeftException e) {
                failures++;
                successes = 0;
                assertThat(e).as(failure + " at " + n).isNotInstanceOf(DeviceLostException.class);
                assertThat(e.getMessage()).contains(code);
                if (function.equals("cuMemAlloc_v2")) {
                    assertThat(e).isInstanceOf(DeviceMemoryException.class);
                }
            }
            assertThat(emulator.faults()).as(failure + " at " + n).isEmpty();
        }
        assertThat(failures).isPositive();
    }

    @ParameterizedTest
    @ValueSource(strings = {"cuStreamBeginCapture_v2:900", "cuStreamEndCapture:901", "cuGraphInstantiateWithFlags:801"})
    void whatCannotBeCapturedRunsCallByCall(String failure) {
        int code = Integer.parseInt(failure.substring(failure.indexOf(':') + 1));
        String function = failure.substring(0, failure.indexOf(':'));
        emulator.with("fail", function + ":1:" + code);
        runAll();
        emulator.faults();
        emulator.with("fail", function + ":1:" + code);
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.CAPTURE, "require");
        try (Weft weft = Weft.of(Backends.of(config, List.of(new CudaProvider())))) {
            assertThatThrownBy(() -> Network.run(weft.device("cuda:0"), STEPS))
                    .isInstanceOf(CaptureException.class)
                    .hasMessageContainingAll("cannot be recorded", function, "returned " + code);
        }
    }

    /** Images that cannot be had are reasons before anything runs. */
    @ParameterizedTest
    @ValueSource(ints = {200, 209, 221, 222, 223, 300})
    void imagesThatDoNotLoadAreReasons(int code) {
        emulator.with("fail", "cuModuleLoadDataEx:1:" + code);
        try (Weft weft = weft()) {
            assertThatThrownBy(() -> weft.device("cuda:0/simple").compile(Network.graph()))
                    .isInstanceOf(UnsupportedOpException.class)
                    .hasMessageContainingAll("cuModuleLoadDataEx(", "plain", "returned " + code);
        }
    }

    /** A fast kernel whose image cannot be had is named where its work is placed. */
    @Test
    void aSlowerKernelSaysWhatItReplaces() {
        emulator.with("fail", "cuModuleLoadDataEx:1:200");
        try (Weft weft = weft()) {
            assertThat(weft.device("cuda:0")
                            .compile(Network.graph())
                            .placement()
                            .table())
                    .contains("/simple", "in place of a faster kernel", "plain_fast", "returned 200");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {700, 719})
    void lossAtEveryLaunch(int code) {
        boolean lost = true;
        int n = 0;
        while (lost) {
            n++;
            assertThat(n).isLessThan(200);
            emulator.with("fail", "kernel:" + n + ":" + code);
            lost = loses("" + code);
            assertThat(emulator.faults()).as("loss at launch " + n).isEmpty();
        }
        assertThat(n).as("launches of the run").isGreaterThan(10);
    }

    /** Runs until the device is lost, then uses and closes everything. Returns whether it was lost. */
    private static boolean loses(String code) {
        try (Weft weft = weft()) {
            Device device = weft.device("cuda:0");
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
                assertThat(e.getMessage()).contains("cuda:0 is lost", code);
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
            assertThat(Network.run(weft.device("cuda:0"), 2).getFirst())
                    .isEqualTo(Network.expected(Network.input(2, 0)));
            return true;
        }
    }

    @Test
    void anotherDeviceIsNotAffected() {
        emulator.with("devices", "2").with("fail", "kernel:1:719");
        try (Weft weft = weft()) {
            Device first = weft.device("cuda:0");
            Device other = weft.device("cuda:1");
            assertThatThrownBy(() -> Network.run(first, STEPS)).isInstanceOf(DeviceLostException.class);
            assertThat(Network.run(other, 2).getFirst()).isEqualTo(Network.expected(Network.input(2, 0)));
        }
    }
}
