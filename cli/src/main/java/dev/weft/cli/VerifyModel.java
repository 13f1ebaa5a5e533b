package dev.weft.cli;

import dev.weft.DeviceId;
import dev.weft.bench.Rounds;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.io.Checkpoint;
import dev.weft.model.NumericMode;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Weft;
import dev.weft.spi.Backends;
import dev.weft.verify.DeviceRun;
import dev.weft.verify.ModeReport;
import dev.weft.verify.ModelComparison;
import dev.weft.verify.NodeOutcome;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * A model on a device against the scalar reference, node by node and as a whole; without times.
 *
 * @param name of the model
 * @param report what was found
 */
record VerifyModel(String name, ModeReport report) {
    private static final DeviceId REFERENCE = DeviceId.parse("cpu:0/scalar");
    private static final Rounds ONCE = new Rounds(1, 0);

    /** Long enough for a compressed entry of every ratio. */
    private static final int PROMPT = 133;

    private static final int DECODE = 3;

    /** Whether the device is what others are held against. */
    static boolean isReference(DeviceId device) {
        return device.equals(REFERENCE);
    }

    /** @param folder of the checkpoint; null for the small one of the suite */
    static VerifyModel of(Backends backends, DeviceId device, @Nullable Path folder) {
        Path model = folder == null ? GoldenModel.micro().directory() : folder;
        String name = folder == null ? GoldenModel.micro().name() : folder.toString();
        int vocabulary = ModelConfig.read(model.resolve("config.json")).vocabSize();
        int[] tokens =
                new SplittableRandom(1).ints(PROMPT + DECODE, 0, vocabulary).toArray();
        try (Weft weft = Weft.of(backends);
                Checkpoint checkpoint = Checkpoint.open(model)) {
            ModelComparison.Plan plan =
                    new ModelComparison.Plan(REFERENCE, List.of(device), NumericMode.FP32, tokens, DECODE, ONCE);
            return new VerifyModel(name, ModelComparison.run(backends, weft, checkpoint, plan, what -> {}));
        }
    }

    boolean passed() {
        return report.passed();
    }

    private DeviceRun run() {
        return report.devices().getFirst();
    }

    private long right() {
        return report.count(run().id(), NodeOutcome::isRight);
    }

    void print(Terminal terminal) {
        terminal.printf(
                "model %s, numerics fp32: %d of %d nodes right%n",
                name, right(), report.nodes().size());
        run().problem().ifPresent(problem -> terminal.printf("    %s%n", problem));
        report.firstWrong(run().id())
                .ifPresent(n -> terminal.printf(
                        "    first wrong: %s in %s; weft compare shows more%n",
                        n.node().label(), n.step()));
    }

    void toJson(ObjectNode target) {
        target.put("model", name)
                .put("numerics", "fp32")
                .put("nodes", report.nodes().size())
                .put("right", right())
                .put("problem", run().problem().orElse(null))
                .put(
                        "firstWrong",
                        report.firstWrong(run().id())
                                .map(n -> n.step() + " " + n.node().label())
                                .orElse(null));
    }
}
