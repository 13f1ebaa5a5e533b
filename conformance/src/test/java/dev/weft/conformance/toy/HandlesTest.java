package dev.weft.conformance.toy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ClosedException;
import dev.weft.DType;
import dev.weft.GraphException;
import dev.weft.TensorType;
import dev.weft.WeftException;
import dev.weft.op.Add;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Every handle survives double close, use after close, close while running, and the wrong thread or device. */
@Timeout(60)
class HandlesTest {
    private final ToyFixture f = new ToyFixture();
    private final Device device = f.device;
    private final CompiledGraph compiled = device.compile(ToyFixture.network());
    private final DeviceWeights weights = compiled.loadWeights(new RandomWeights(7));
    private final StateStore states = compiled.newStates();
    private final Execution execution = compiled.newExecution(weights, states);
    private final TensorType type = TensorType.of(DType.F32, 2, 3);
    private final Tensor tensor = device.random(type, 1);

    @AfterEach
    void close() {
        f.close();
        f.provider.opened().forEach(d -> assertThat(d.memory().live()).isEmpty());
    }

    private static void assertClosed(ThrowingCallable call, String subject) {
        assertThatThrownBy(call).isInstanceOf(ClosedException.class).hasMessageContaining(subject);
    }

    @Test
    void closedExecution() {
        execution.close();
        execution.close();
        assertClosed(execution::run, "execution of small network");
        assertClosed(() -> execution.bind("tokens", 1), "execution");
        assertClosed(() -> execution.set("slots", 1), "execution");
        assertClosed(() -> execution.read("hidden", MemorySegment.NULL), "execution");
    }

    @Test
    void closedWeightsAndStates() {
        ToyFixture.run(execution, 2);
        weights.close();
        weights.close();
        assertClosed(execution::run, "weights on toy:0");
        states.close();
        states.close();
        assertClosed(() -> states.read("ring", 0, MemorySegment.ofArray(new byte[4])), "states on toy:0");
        assertClosed(() -> states.copyRow("ring", 0, 1), "states");
    }

    @Test
    void closedStatesUnderAnExecution() {
        states.close();
        ToyFixture.feed(execution, 1, 0);
        assertClosed(execution::run, "states on toy:0");
        assertThat(compiled.newExecution(weights, compiled.newStates())).isNotNull();
    }

    @Test
    void closedTensor() {
        tensor.close();
        tensor.close();
        assertClosed(tensor::toFloatArray, "tensor [2, 3] f32 on toy:0");
        assertClosed(() -> tensor.copyFrom(new float[6]), "tensor");
        assertClosed(() -> device.ops().run(new Add(), tensor, tensor), "tensor");
        assertThat(f.toy().memory().live()).hasSize(3);
    }

    @Test
    void closedDevice() {
        device.close();
        device.close();
        List<ThrowingCallable> uses = List.of(
                () -> device.compile(ToyFixture.network()),
                () -> device.tensor(type),
                () -> device.random(type, 1),
                () -> device.ops().run(new Add(), tensor, tensor),
                compiled::newStates,
                () -> compiled.loadWeights(new RandomWeights(1)),
                () -> compiled.newExecution(weights, states),
                execution::run,
                tensor::toFloatArray,
                () -> states.write("ring", 0, MemorySegment.ofArray(new byte[4])));
        uses.forEach(use -> assertThatThrownBy(use).isInstanceOf(ClosedException.class));
        tensor.close();
        execution.close();
        weights.close();
        states.close();
    }

    @Test
    void closedWeft() {
        f.weft.close();
        f.weft.close();
        assertClosed(() -> f.weft.device("toy:0"), "weft");
        assertThatThrownBy(f.weft::devices).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> device.tensor(type)).isInstanceOf(ClosedException.class);
    }

    @Test
    void thingsOfAnotherDeviceAreRefused() {
        Device other = f.weft.device("toy:1");
        CompiledGraph foreign = other.compile(ToyFixture.network());
        assertThatThrownBy(() -> foreign.newExecution(weights, foreign.newStates()))
                .isInstanceOf(GraphException.class)
                .hasMessageContainingAll("weights", "toy:0", "toy:1");
        assertThatThrownBy(() -> compiled.newExecution(weights, foreign.newStates()))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("states");
        assertThatThrownBy(() -> other.ops().run(new Add(), tensor, tensor))
                .isInstanceOf(GraphException.class)
                .hasMessageContainingAll("add: operand 0", "toy:0", "toy:1");
        assertThatThrownBy(() -> CompiledGraph.loadWeights(List.of(compiled, foreign), new RandomWeights(1), b -> {}))
                .isInstanceOf(GraphException.class);
    }

    /** Runs steps until closed; returns how many were completed. */
    private static int runUntilClosed(Execution e) {
        int steps = 0;
        try {
            while (true) {
                ToyFixture.feed(e, 4, 0);
                e.run();
                steps++;
            }
        } catch (ClosedException closed) {
            return steps;
        }
    }

    private void closeWhileRunning(AutoCloseable closing) throws Exception {
        try (ExecutorService pool = Executors.newFixedThreadPool(1)) {
            Future<Integer> runner = pool.submit(() -> runUntilClosed(execution));
            Thread.sleep(30);
            closing.close();
            assertThat(runner.get(20, TimeUnit.SECONDS)).isPositive();
        }
        assertThat(f.toy().isLost())
                .as("nothing was freed under a running kernel")
                .isFalse();
    }

    @Test
    void closingTheExecutionWhileItRuns() throws Exception {
        closeWhileRunning(execution);
    }

    @Test
    void closingTheWeightsWhileTheyAreUsed() throws Exception {
        closeWhileRunning(weights);
    }

    @Test
    void closingTheStatesWhileTheyAreUsed() throws Exception {
        closeWhileRunning(states);
    }

    @Test
    void closingTheDeviceWhileItWorks() throws Exception {
        closeWhileRunning(device);
    }

    @Test
    void closingEverythingWhileItWorks() throws Exception {
        closeWhileRunning(f.weft);
    }

    @Test
    void closingTheDeviceWhileManyThreadsCreateAndUseThings() throws Exception {
        List<Future<Integer>> workers = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
            for (int i = 0; i < 4; i++) {
                workers.add(pool.submit(this::eagerUntilClosed));
            }
            Thread.sleep(50);
            device.close();
            for (Future<Integer> w : workers) {
                assertThat(w.get(20, TimeUnit.SECONDS)).isPositive();
            }
        }
        assertThat(f.toy().isLost()).isFalse();
    }

    private int eagerUntilClosed() {
        int calls = 0;
        try {
            while (true) {
                Tensor t = device.random(type, calls);
                device.ops().run(new Add(), t, t).getFirst().toFloatArray();
                calls++;
            }
        } catch (ClosedException closed) {
            return calls;
        }
    }

    @Test
    void oneExecutionInTwoThreadsIsRefusedNotCorrupted() throws Exception {
        List<float[]> results = new ArrayList<>();
        int refused = 0;
        try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
            ToyFixture.feed(execution, 4, 0);
            List<Future<float[]>> futures = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                futures.add(pool.submit(() -> {
                    execution.run();
                    return execution.floats("hidden");
                }));
            }
            for (Future<float[]> future : futures) {
                try {
                    results.add(future.get());
                } catch (ExecutionException e) {
                    assertThat(e.getCause()).isInstanceOf(GraphException.class);
                    refused++;
                }
            }
        }
        assertThat(refused).isPositive();
        float[] expected = ToyFixture.expected(4).getFirst().hidden();
        for (float[] r : results) {
            for (int i = 0; i < r.length; i++) {
                assertThat(r[i]).isCloseTo(expected[i], org.assertj.core.data.Offset.offset(1e-4f));
            }
        }
    }

    @Test
    void twoExecutionsOnOneStateStoreAtATimeAreRefused() throws Exception {
        try (Execution second = compiled.newExecution(weights, states);
                ExecutorService pool = Executors.newFixedThreadPool(1)) {
            ToyFixture.feed(execution, 4, 0);
            ToyFixture.feed(second, 4, 0);
            AtomicReference<String> refusal = new AtomicReference<>();
            Future<?> other = pool.submit(() -> runUntilRefused(execution, refusal));
            runUntilRefused(second, refusal);
            other.get(20, TimeUnit.SECONDS);
            assertThat(refusal.get()).contains("execution of small network", "states are in use", "its own states");
            execution.run(); // one after the other is fine
            second.run();
        }
        assertThat(f.toy().isLost()).isFalse();
    }

    /** Runs steps until this or the other execution is refused. */
    private static void runUntilRefused(Execution e, AtomicReference<String> refusal) {
        while (refusal.get() == null) {
            try {
                e.run();
            } catch (GraphException refused) {
                refusal.set(refused.getMessage());
            }
        }
    }

    @Test
    void manyExecutionsOnOneGraphAreIndependent() throws Exception {
        float[] expected = ToyFixture.run(execution, 5, 2).getLast().ring();
        List<Future<float[]>> futures = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
            for (int i = 0; i < 8; i++) {
                futures.add(pool.submit(() -> {
                    try (StateStore own = compiled.newStates();
                            Execution e = compiled.newExecution(weights, own)) {
                        return ToyFixture.run(e, 5, 2).getLast().ring();
                    }
                }));
            }
            for (Future<float[]> future : futures) {
                assertThat(future.get()).isEqualTo(expected);
            }
        }
    }

    @Test
    void wrongBindingsNameInputAndExpectation() {
        assertThatThrownBy(execution::run)
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("'tokens' is not bound");
        assertThatThrownBy(() -> execution.floats("hidden")).isInstanceOf(GraphException.class);
        assertThatThrownBy(() -> execution.outputType("hidden")).hasMessageContaining("'tokens' is not bound");
        assertThatThrownBy(() -> execution.bind("rows", 1)).hasMessageContainingAll("'rows'", "tokens");
        assertThatThrownBy(() -> execution.bind("tokens", ToyFixture.MAX_TOKENS + 1))
                .hasMessageContainingAll("13", "0 to 12");
        assertThatThrownBy(() -> execution.set("z", 1)).hasMessageContainingAll("'z'", "positions");
        assertThatThrownBy(() -> execution.set("x", 1)).hasMessageContainingAll("'x'", "I32", "f32");
        assertThatThrownBy(() -> execution.set("slots", 1, 2)).hasMessageContaining("'slots'");
        execution.bind("tokens", 2);
        assertThatThrownBy(execution::run).hasMessageContainingAll("input 'x'", "nothing", "[2, 24] f32");
        ToyFixture.feed(execution, 3, 0);
        execution.bind("tokens", 2);
        assertThatThrownBy(execution::run).hasMessageContainingAll("input 'x'", "288 bytes", "192 bytes");
    }

    @Test
    void outputsAreReadableOnlyAfterARunWithTheirExtents() {
        assertThatThrownBy(() -> execution.bind("tokens", 3).floats("hidden")).hasMessageContaining("nothing has run");
        ToyFixture.run(execution, 3);
        assertThat(execution.floats("hidden")).hasSize(3 * ToyFixture.WIDTH);
        assertThatThrownBy(() -> execution.read("hidden", MemorySegment.ofArray(new byte[287])))
                .isInstanceOf(GraphException.class)
                .hasMessageContainingAll("'hidden'", "287", "288");
        execution.bind("tokens", 5);
        assertThatThrownBy(() -> execution.floats("hidden")).isInstanceOf(GraphException.class);
        assertThatThrownBy(() -> execution.floats("nope")).hasMessageContainingAll("'nope'", "hidden");
        assertThatThrownBy(() -> execution.ints("hidden")).hasMessageContaining("expected I32");
    }

    @Test
    void stateRowsAreCheckedAndCopied() {
        ToyFixture.run(execution, 3);
        int row = (int) states.rowBytes("ring");
        byte[] one = new byte[row];
        byte[] zero = new byte[row];
        states.read("ring", 1, MemorySegment.ofArray(one));
        states.copyRow("ring", 1, 0);
        states.read("ring", 0, MemorySegment.ofArray(zero));
        assertThat(zero).isEqualTo(one);
        for (long bad : new long[] {-1, 2, Long.MAX_VALUE, Long.MAX_VALUE / row + 1}) {
            assertThatThrownBy(() -> states.read("ring", bad, MemorySegment.ofArray(one)))
                    .isInstanceOf(WeftException.class)
                    .hasMessageContaining("'ring'");
        }
        assertThatThrownBy(() -> states.rowBytes("rang")).hasMessageContainingAll("'rang'", "ring");
    }
}
