package dev.weft.conformance.toy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DeviceMemoryException;
import dev.weft.GraphException;
import dev.weft.TensorType;
import dev.weft.op.Gemm;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Tensor;
import dev.weft.spi.BackendConfig;
import org.junit.jupiter.api.Test;

/** Whichever allocation fails, nothing stays behind and the same work succeeds afterwards. */
class AllocationFailureTest {
    @Test
    void everyAllocationOfLoadAndRun() {
        try (ToyFixture f = new ToyFixture()) {
            float[] expected = ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 3)
                    .getFirst()
                    .hidden();
            long allocations = f.faults.allocations();
            assertThat(allocations).isEqualTo(3); // weights, states, values
            for (long n = 1; n <= allocations; n++) {
                f.faults.failAllocation(n);
                assertThatThrownBy(() -> ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 3))
                        .isInstanceOf(DeviceMemoryException.class)
                        .hasMessageContaining("injected");
                assertThat(f.toy().memory().live()).as("left by failure " + n).isEmpty();
                assertThat(f.toy().openStreams()).isZero();
                assertThat(ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 3)
                                .getFirst()
                                .hidden())
                        .isEqualTo(expected);
            }
        }
    }

    @Test
    void everyAllocationOfAnEagerOperator() {
        try (ToyFixture f = new ToyFixture();
                Tensor x = f.device.random(TensorType.of(DType.F32, 3, 8), 1);
                Tensor w = f.device.random(TensorType.of(DType.F32, 5, 8), 2)) {
            long before = f.faults.allocations();
            f.device.ops().run(new Gemm(DType.F32), x, w).forEach(Tensor::close);
            long allocations = f.faults.allocations() - before;
            assertThat(allocations).isEqualTo(3); // result, packed weight, workspace
            int live = f.toy().memory().live().size();
            for (long n = 1; n <= allocations; n++) {
                f.faults.failAllocation(n);
                assertThatThrownBy(() -> f.device.ops().run(new Gemm(DType.F32), x, w))
                        .isInstanceOf(DeviceMemoryException.class);
                assertThat(f.toy().memory().live()).hasSize(live);
            }
        }
    }

    @Test
    void theMemoryLimitIsKept() {
        try (ToyFixture f = new ToyFixture(BackendConfig.DEFAULT.withMemoryLimit(64 << 10))) {
            assertThatThrownBy(() -> f.device.tensor(TensorType.of(DType.F32, 1 << 20)))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContainingAll("4194304 bytes", "65536");
            f.device.tensor(TensorType.of(DType.F32, 1 << 10)).close();
        }
    }

    @Test
    void aWeightThatCannotBeReadLeavesNothing() {
        try (ToyFixture f = new ToyFixture()) {
            var compiled = f.device.compile(ToyFixture.network());
            assertThatThrownBy(() -> compiled.loadWeights((name, type) -> {
                        throw new dev.weft.CheckpointException("no weight " + name);
                    }))
                    .isInstanceOf(dev.weft.CheckpointException.class);
            assertThat(f.toy().memory().live()).isEmpty();
        }
    }

    @Test
    void anExecutionThatCannotBeBoundLeavesNothing() {
        var g = dev.weft.graph.Graph.builder("other network");
        var x = g.input("x", TensorType.of(DType.F32, 2, 3));
        var other = g.output("y", g.gemm(x, g.weight("unknown", TensorType.of(DType.F32, 4, 3))))
                .build();
        try (ToyFixture f = new ToyFixture();
                DeviceWeights weights = f.device.compile(ToyFixture.network()).loadWeights(new RandomWeights(7));
                StateStore states = f.device.compile(other).newStates()) {
            assertThatThrownBy(() -> f.device.compile(other).newExecution(weights, states))
                    .isInstanceOf(GraphException.class)
                    .hasMessageContainingAll("weight unknown", "toy-transposed");
            assertThat(f.toy().memory().live()).hasSize(2);
            assertThat(f.toy().openStreams()).isZero();
        }
    }

    @Test
    void manyCyclesDoNotGrow() {
        try (ToyFixture f = new ToyFixture()) {
            f.faults.delays(0);
            ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 1);
            int threads = Thread.activeCount();
            for (int i = 0; i < 100; i++) {
                ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 1);
            }
            assertThat(f.toy().memory().liveBytes()).isZero();
            assertThat(Thread.activeCount()).isLessThanOrEqualTo(threads);
        }
    }
}
