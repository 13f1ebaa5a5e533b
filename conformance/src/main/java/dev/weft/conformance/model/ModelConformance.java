package dev.weft.conformance.model;

import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Whole models on a device: golden checkpoints of independent implementations, and the equalities that caches must keep. A
 * backend joins by a subclass that names its device.
 */
public abstract class ModelConformance {
    /** Id of the device, for example {@code acme:0}. */
    protected abstract String device();

    /** Settings of the backend. */
    protected BackendConfig config() {
        return BackendConfig.DEFAULT;
    }

    /** Models to run; slow devices may leave some out. */
    protected List<GoldenModel> models() {
        return GoldenModel.all();
    }

    /** Exact semantics: logits of prefill, decode and MTP, streams, routes, picks and greedy tokens. */
    @TestFactory
    public Stream<DynamicTest> exactSemantics() {
        return models().stream().flatMap(m -> new ExactChecks(this, m).tests());
    }

    /** Where and how quantisers act, by the robust statistics of the golden data. */
    @TestFactory
    public Stream<DynamicTest> quantised() {
        return models().stream().filter(m -> m.has("qat32")).flatMap(m -> new QuantisedChecks(this, m).tests());
    }

    /** Prefill, chunks, decode, batches, forks and rollbacks give the same bits. */
    @TestFactory
    public Stream<DynamicTest> equalities() {
        return Stream.of(NumericMode.FP32, NumericMode.BF16)
                .flatMap(mode -> new EqualityChecks(this, GoldenModel.micro(), mode).tests());
    }

    /** Runs {@code body} with a model loaded on the device. */
    void withModel(GoldenModel golden, LoadOptions options, java.util.function.Consumer<DeepSeekV4> body) {
        try (Weft weft = Weft.open(config());
                dev.weft.io.Checkpoint checkpoint = dev.weft.io.Checkpoint.open(golden.directory());
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device(device()), options)) {
            body.accept(model);
        }
    }
}
