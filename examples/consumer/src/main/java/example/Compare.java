package example;

import dev.weft.DeviceId;
import dev.weft.bench.Rounds;
import dev.weft.io.Checkpoint;
import dev.weft.model.NumericMode;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import dev.weft.spi.DeviceInfo;
import dev.weft.spi.Probe;
import dev.weft.text.Tokenizer;
import dev.weft.verify.DeviceRun;
import dev.weft.verify.ModeReport;
import dev.weft.verify.ModelComparison;
import dev.weft.verify.NodeOutcome;
import java.nio.file.Path;
import java.util.List;

/**
 * Holds every device of this machine against the scalar reference on a model: each node fed with the reference's operands,
 * then the whole model. Says why other kinds of devices are not there.
 */
public final class Compare {
    private static final DeviceId REFERENCE = DeviceId.parse("cpu:0/scalar");

    private Compare() {}

    public static void main(String[] args) {
        Path folder = Path.of(args[0]);
        int[] tokens = Tokenizer.load(folder.resolve("tokenizer.json"))
                .encode("Elizabeth was very much surprised to see her, and she was very happy.");
        try (Backends backends = Backends.load(BackendConfig.DEFAULT);
                Weft weft = Weft.of(backends);
                Checkpoint checkpoint = Checkpoint.open(folder)) {
            List<DeviceId> devices =
                    weft.deviceInfos().stream().map(DeviceInfo::id).toList();
            ModelComparison.Plan plan =
                    new ModelComparison.Plan(REFERENCE, devices, NumericMode.FP32, tokens, 2, new Rounds(3, 1));
            ModeReport report = ModelComparison.run(backends, weft, checkpoint, plan, what -> {});
            report.devices().forEach(run -> System.out.println(line(report, run)));
            for (Backends.Status backend : weft.backends()) {
                if (backend.probe() instanceof Probe.Absent absent) {
                    System.out.println(backend.name() + " is absent: " + absent.reason());
                }
            }
        }
    }

    private static String line(ModeReport report, DeviceRun run) {
        String nodes = run.id() + ": " + report.count(run.id(), NodeOutcome::isRight) + " of "
                + report.nodes().size() + " nodes within their tolerance";
        String wrong = report.firstWrong(run.id())
                .map(node -> ", the first over it is " + node.node().label())
                .orElse("");
        String whole = run.endToEnd()
                .map(e -> ", logits differ by %.1e at most, same token in %d of %d rows"
                        .formatted(e.largest(), e.agreeing(), e.rows()))
                .orElse(", the model did not run: " + run.problem().orElse(""));
        return nodes + wrong + whole;
    }
}
