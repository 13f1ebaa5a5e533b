package dev.weft.conformance.toy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DeviceLostException;
import dev.weft.TensorType;
import dev.weft.op.Add;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import java.lang.foreign.MemorySegment;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Losing the device is one change of state: the first cause is in every later message, and closing still works. */
class DeviceLossTest {
    private static final int NODES = ToyFixture.network().nodes().size();

    private static void assertLost(ThrowingCallable call, String kernel) {
        assertThatThrownBy(call)
                .isInstanceOf(DeviceLostException.class)
                .hasMessageContainingAll("toy:0", "kernel " + kernel, "injected launch failure");
    }

    @Test
    void lossAtEveryLaunchOfTwoSteps() {
        for (int n = 1; n <= 2 * NODES; n++) {
            String kernel =
                    ToyFixture.network().nodes().get((n - 1) % NODES).op().name() + "/toy";
            try (ToyFixture f = new ToyFixture()) {
                loseAt(f, n, kernel);
                f.device.close();
                assertThat(f.toy().openStreams()).isZero();
                assertThat(f.toy().memory().live()).isEmpty();
            }
        }
    }

    private static void loseAt(ToyFixture f, int n, String kernel) {
        Device device = f.device;
        CompiledGraph compiled = device.compile(ToyFixture.network());
        DeviceWeights weights = compiled.loadWeights(new RandomWeights(7));
        StateStore states = compiled.newStates();
        Execution execution = compiled.newExecution(weights, states);
        f.faults.failLaunch(n);
        if (n > NODES) {
            ToyFixture.run(execution, 3);
        }
        ToyFixture.feed(execution, 3, 0);
        assertLost(execution::run, kernel);
        assertLost(execution::run, kernel);
        assertThatThrownBy(() -> execution.floats("hidden")).hasMessageContaining("nothing has run yet");
        TensorType type = TensorType.of(DType.F32, 4);
        assertLost(() -> device.compile(ToyFixture.network()), kernel);
        assertLost(() -> device.tensor(type), kernel);
        assertLost(() -> compiled.newExecution(weights, states), kernel);
        assertLost(() -> compiled.newStates(), kernel);
        assertLost(() -> compiled.loadWeights(new RandomWeights(7)), kernel);
        assertLost(() -> states.read("ring", 0, MemorySegment.ofArray(new byte[8])), kernel);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void aFailureOfHostFallbackNeighboursIsTheSameLoss(int n) {
        try (ToyFixture f = new ToyFixture()) {
            f.faults.refuse("swiGlu", "no exponential unit").failLaunch(n);
            assertThatThrownBy(() -> ToyFixture.runAll(f.device, CompileOptions.DEFAULT.withHostFallback(), 3))
                    .isInstanceOf(DeviceLostException.class)
                    .hasMessageContaining("injected launch failure");
            f.device.close();
            assertThat(f.toy().memory().live()).isEmpty();
        }
    }

    @Test
    void eagerOperatorsLoseTheDeviceToo() {
        try (ToyFixture f = new ToyFixture()) {
            var a = f.device.random(TensorType.of(DType.F32, 2, 3), 1);
            f.faults.failLaunch(1);
            assertLost(() -> f.device.ops().run(new Add(), a, a), "add/toy");
            assertLost(a::toFloatArray, "add/toy");
        }
    }

    @Test
    void aLostDeviceCanBeClosedAndOpenedAgain() {
        try (ToyFixture f = new ToyFixture()) {
            f.faults.failLaunch(2);
            assertThatThrownBy(() -> ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 3))
                    .isInstanceOf(DeviceLostException.class);
            f.device.close();
            Device again = f.weft.device("toy:0");
            assertThat(again).isNotSameAs(f.device);
            assertThat(ToyFixture.runAll(again, CompileOptions.DEFAULT, 3)).hasSize(1);
        }
    }

    @Test
    void anotherDeviceOfTheBackendIsNotAffected() {
        try (ToyFixture f = new ToyFixture()) {
            Device other = f.weft.device("toy:1");
            f.faults.failLaunch(1);
            assertThatThrownBy(() -> ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 3))
                    .isInstanceOf(DeviceLostException.class);
            assertThat(ToyFixture.runAll(other, CompileOptions.DEFAULT, 3)).hasSize(1);
        }
    }
}
