package dev.weft.cli;

import dev.weft.bench.Result;
import dev.weft.bench.StepBench;
import dev.weft.bench.Work;
import dev.weft.verify.DeviceRun;
import dev.weft.verify.Difference;
import dev.weft.verify.EndToEnd;
import dev.weft.verify.ModeReport;
import dev.weft.verify.NodeOutcome;
import dev.weft.verify.NodeReport;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A comparison as JSON. The fields are described in {@code docs/compare.md} and stay as they are. */
final class CompareJson {
    private CompareJson() {}

    static ObjectNode of(CompareSheet sheet) {
        ObjectNode root = Json.object()
                .put("command", sheet.command())
                .put("model", sheet.isModel() ? sheet.model() : null)
                .put("weft", Version.text())
                .put("java", System.getProperty("java.runtime.version", "unknown"))
                .put("system", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        if (sheet.seed() < 0) {
            root.putNull("seed");
        } else {
            root.put("seed", sheet.seed());
        }
        root.put("prefill", sheet.prefill()).put("decode", sheet.decode()).put("passed", sheet.passed());
        ArrayNode modes = root.putArray("modes");
        sheet.modes().forEach(m -> mode(m, modes.addObject()));
        return root;
    }

    private static void mode(ModeReport mode, ObjectNode to) {
        to.put("graph", mode.graph())
                .put("numerics", mode.mode().map(NumericModeConverter::name).orElse(null));
        device(mode, mode.reference(), to.putObject("reference"));
        ArrayNode devices = to.putArray("devices");
        for (DeviceRun run : mode.devices()) {
            ObjectNode device = devices.addObject();
            device(mode, run, device);
            device.putObject("nodes")
                    .put("right", mode.count(run.id(), NodeOutcome::isRight))
                    .put("wrong", mode.count(run.id(), NodeOutcome::isWrong))
                    .put("unsupported", mode.count(run.id(), o -> o instanceof NodeOutcome.Unsupported));
            mode.firstWrong(run.id())
                    .ifPresentOrElse(
                            n -> device.putObject("firstWrong")
                                    .put("step", n.step())
                                    .put("index", n.node().index())
                                    .put("node", n.node().label()),
                            () -> device.putNull("firstWrong"));
        }
        ArrayNode nodes = to.putArray("nodes");
        mode.nodes().forEach(n -> node(mode, n, nodes.addObject()));
    }

    private static void device(ModeReport mode, DeviceRun run, ObjectNode to) {
        to.put("device", run.id().toString());
        run.machine()
                .ifPresentOrElse(
                        m -> to.put("hardware", m.info().description())
                                .put("tier", m.info().tier())
                                .put("level", m.level())
                                .put("threads", m.threads()),
                        () -> to.putNull("hardware")
                                .putNull("tier")
                                .putNull("level")
                                .putNull("threads"));
        run.problem().ifPresentOrElse(p -> to.put("problem", p), () -> to.putNull("problem"));
        if (run != mode.reference()) {
            run.endToEnd().ifPresentOrElse(e -> endToEnd(e, to.putObject("endToEnd")), () -> to.putNull("endToEnd"));
        }
        ArrayNode steps = to.putArray("steps");
        run.times().forEach((name, times) -> step(times, steps.addObject().put("step", name)));
    }

    private static void step(StepBench times, ObjectNode to) {
        to.put("flops", (long) times.step().work().flops())
                .put("bytes", (long) times.step().work().bytes());
        time(times.step(), to);
        times.roof()
                .ifPresentOrElse(
                        roof -> {
                            ObjectNode rates = to.putObject("roof");
                            roof.perSecond().forEach((kind, rate) -> rates.put(kind.key(), rate));
                            rates.put("measuredBy", roof.measuredBy());
                        },
                        () -> to.putNull("roof"));
    }

    private static void endToEnd(EndToEnd e, ObjectNode to) {
        to.put("rows", e.rows())
                .put("sameArgmax", e.agreeing())
                .put("nmse", e.nmse())
                .put("largest", e.largest())
                .put("row", e.row())
                .put("token", e.token());
    }

    private static void node(ModeReport mode, NodeReport report, ObjectNode to) {
        Work work = mode.work(report);
        to.put("step", report.step())
                .put("index", report.node().index())
                .put("node", report.node().label())
                .put("op", report.node().op().name())
                .put("flops", (long) work.flops())
                .put("bytes", (long) work.bytes());
        ArrayNode results = to.putArray("results");
        report.outcomes().forEach((id, outcome) -> {
            ObjectNode result = results.addObject().put("device", id.toString());
            outcome(outcome, result);
            mode.devices().stream()
                    .filter(d -> d.id().equals(id))
                    .map(d -> d.times().get(report.step()))
                    .forEach(times -> nodeTime(times, report, result));
        });
    }

    private static void nodeTime(@Nullable StepBench times, NodeReport report, ObjectNode to) {
        Optional<Result> time =
                Optional.ofNullable(times).flatMap(t -> t.node(report.node().label()));
        if (time.isEmpty()) {
            to.putNull("seconds").putNull("flopsPerSecond").putNull("ofLimit");
        } else {
            time(time.get(), to);
        }
    }

    private static void outcome(NodeOutcome outcome, ObjectNode to) {
        switch (outcome) {
            case NodeOutcome.Compared c -> {
                to.put("status", c.isRight() ? "right" : "wrong")
                        .put("kernel", c.kernel())
                        .put("note", c.note());
                difference(c.difference(), to);
                c.violation().ifPresentOrElse(v -> to.put("reason", v), () -> to.putNull("reason"));
            }
            case NodeOutcome.Failed f -> to.put("status", "failed").put("reason", f.message());
            case NodeOutcome.Unsupported u -> to.put("status", "unsupported").put("reason", u.reason());
        }
    }

    private static void difference(Difference d, ObjectNode to) {
        to.put("result", d.result())
                .put("dtype", d.dtype().toString())
                .put("elements", d.elements())
                .put("differing", d.differing())
                .put("nmse", d.nmse());
        spot(d.largest(), to.putObject("largest"));
        d.ulps().ifPresentOrElse(u -> spot(u, to.putObject("ulp")), () -> to.putNull("ulp"));
        to.put("ofTolerance", d.share());
    }

    private static void spot(Difference.Spot spot, ObjectNode to) {
        to.put("amount", spot.amount())
                .put("at", spot.at())
                .put("found", spot.found())
                .put("expected", spot.expected());
    }

    private static void time(Result r, ObjectNode to) {
        to.putObject("seconds")
                .put("median", r.secondsMedian())
                .put("p10", r.secondsP10())
                .put("p90", r.secondsP90());
        to.put("flopsPerSecond", r.flopsPerSecond());
        r.limit()
                .ifPresentOrElse(
                        l -> to.putObject("ofLimit")
                                .put("kind", l.kind().key())
                                .put("share", l.share())
                                .put("measuredBy", l.measuredBy()),
                        () -> to.putNull("ofLimit"));
    }
}
