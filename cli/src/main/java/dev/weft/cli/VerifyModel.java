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
 * @param report what was found; null if nothing ran
 * @param failure why nothing ran, else null
 */
record VerifyModel(
        String name, @Nullable ModeReport report, @Nullable String failure) {
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
            return new VerifyModel(name, ModelComparison.run(backends, weft, checkpoint, plan, what -> {}), null);
        }
    }

    /** A model that could not run. @param folder as for {@link #of} */
    static VerifyModel failed(@Nullable Path folder, @Nullable String why) {
        String name = folder == null ? GoldenModel.micro().name() : folder.toString();
        return new VerifyModel(name, null, String.valueOf(why));
    }

    boolean passed() {
        return report != null && report.passed();
    }

    private static DeviceRun run(ModeReport report) {
        return report.devices().getFirst();
    }

    private static long right(ModeReport report) {
        return report.count(run(report).id(), NodeOutcome::isRight);
    }

    void print(Terminal terminal) {
        if (report == null) {
            terminal.printf("model %s: not run: %s%n", name, failure);
            return;
        }
        terminal.printf(
                "model %s, numerics fp32: %d of %d nodes right%n",
                name, right(report), report.nodes().size());
        run(report).problem().ifPresent(problem -> terminal.printf("    %s%n", problem));
        report.firstWrong(run(report).id())
                .ifPresent(n -> terminal.printf(
                        "    first wrong: %s in %s; weft compare shows more%n",
                        n.node().label(), n.step()));
    }

    void toJson(ObjectNode target) {
        target.put("model", name).put("numerics", "fp32");
        if (report == null) {
            target.put("problem", failure);
            return;
        }
        target.put("nodes", report.nodes().size())
                .put("right", right(report))
                .put("problem", run(report).problem().orElse(null))
                .put(
                        "firstWrong",
                        report.firstWrong(run(report).id())
                                .map(n -> n.step() + " " + n.node().label())
                                .orElse(null));
    }
}
