package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.weft.conformance.model.GoldenModel;
import dev.weft.conformance.model.GoldenTensors;
import dev.weft.conformance.model.ModelConformance;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** Whole models on every variant that this machine has. */
@Tag("numbers")
class CpuModelTest {
    // models this small keep hardly more than one processor busy: two at a time, and no other test beside them
    @Execution(ExecutionMode.CONCURRENT)
    @TestFactory
    Stream<DynamicContainer> goldenModels() {
        return Cpu.variants().stream().map(variant -> {
            Suite suite = new Suite("cpu:0/" + variant);
            return dynamicContainer(
                    variant,
                    Stream.of(suite.exactSemantics(), suite.quantised(), suite.equalities())
                            .flatMap(s -> s));
        });
    }

    @TestFactory
    Stream<DynamicTest> anyNumberOfThreadsGivesTheSameBits() {
        return Cpu.variants().stream()
                .flatMap(variant -> Stream.of(NumericMode.FP32, NumericMode.BF16)
                        .map(mode -> dynamicTest(variant + " " + mode, () -> {
                            float[][] one = logits("cpu:0/" + variant, mode, 1);
                            for (int threads : new int[] {2, 4}) {
                                assertThat(logits("cpu:0/" + variant, mode, threads))
                                        .as(threads + " threads")
                                        .isDeepEqualTo(one);
                            }
                        })));
    }

    /** A prefill of 150 tokens and a few decode steps. */
    private static float[][] logits(String device, NumericMode mode, int threads) {
        GoldenModel golden = GoldenModel.micro();
        LoadOptions options = LoadOptions.defaults().mode(mode).maxContext(256);
        try (GoldenTensors tensors = golden.tensors("fp32");
                Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(threads));
                Checkpoint checkpoint = Checkpoint.open(golden.directory());
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device(device), options);
                Session session = model.newSession()) {
            int[] ids = tensors.ints("input_ids");
            float[][] rows = Arrays.copyOf(session.appendAll(Arrays.copyOf(ids, 150)), 154);
            for (int i = 150; i < 154; i++) {
                rows[i] = session.append(ids[i]);
            }
            return rows;
        }
    }

    private static final class Suite extends ModelConformance {
        private final String device;

        Suite(String device) {
            this.device = device;
        }

        @Override
        protected String device() {
            return device;
        }
    }
}
