package dev.weft.cli;

import dev.weft.DeviceId;
import dev.weft.bench.Rounds;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.io.Checkpoint;
import dev.weft.model.NumericMode;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import dev.weft.verify.ModelComparison;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A comparison of the smallest golden model in two numeric modes, made once: one device is there, one is absent. */
final class ComparedMicro {
    static final Path MODEL = GoldenModel.micro().directory();
    static final DeviceId VECTOR = DeviceId.parse("cpu:0/vector");
    static final DeviceId ABSENT = DeviceId.parse("cpu:9");

    private static final DeviceId REFERENCE = DeviceId.parse("cpu:0/scalar");
    private static final CompareSheet SHEET = compare();

    private ComparedMicro() {}

    /** What was found, in {@code fp32} and in {@code bf16}. */
    static CompareSheet sheet() {
        return SHEET;
    }

    private static CompareSheet compare() {
        int[] tokens = IntStream.range(0, 22).toArray();
        try (Backends backends = Backends.load(BackendConfig.DEFAULT);
                Weft weft = Weft.of(backends);
                Checkpoint checkpoint = Checkpoint.open(MODEL)) {
            return new CompareSheet(
                    "weft compare <MODEL>",
                    MODEL.toString(),
                    5,
                    20,
                    2,
                    Stream.of(NumericMode.FP32, NumericMode.BF16)
                            .map(m -> new ModelComparison.Plan(
                                    REFERENCE, List.of(VECTOR, ABSENT), m, tokens, 2, new Rounds(2, 0)))
                            .map(plan -> ModelComparison.run(backends, weft, checkpoint, plan, what -> {}))
                            .toList());
        }
    }
}
