package dev.weft.cli;

import dev.weft.bench.Result;
import dev.weft.verify.DeviceRun;
import dev.weft.verify.EndToEnd;
import dev.weft.verify.ModeReport;
import dev.weft.verify.NodeOutcome;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A comparison as tables for the terminal. */
final class CompareText {
    private static final int WORST = 5;

    private final Terminal terminal;
    private final CompareSheet sheet;

    CompareText(Terminal terminal, CompareSheet sheet) {
        this.terminal = terminal;
        this.sheet = sheet;
    }

    void print() {
        if (sheet.isModel()) {
            terminal.printf(
                    "%s: prefill of %d tokens, %d decoded, %s%n",
                    sheet.model(),
                    sheet.prefill(),
                    sheet.decode(),
                    sheet.seed() < 0 ? "tokens as given" : "seed " + sheet.seed());
        }
        for (ModeReport mode : sheet.modes()) {
            terminal.printf(
                    "%n%s, against %s%n%n",
                    CompareSheet.title(mode), mode.reference().id());
            devices(mode);
            mode.devices().forEach(d -> problems(mode, d));
            worst(mode);
            times(mode);
        }
        terminal.printf(
                "%n%s%n", sheet.passed() ? "every node within its tolerance" : "FAILED: not every device passes");
    }

    private void devices(ModeReport mode) {
        TextTable table = new TextTable(
                true,
                "device",
                "tier",
                "nodes right",
                "wrong",
                "no kernel",
                sheet.isModel() ? "logits nmse" : "outputs nmse",
                "max |diff|",
                "same argmax",
                "what it is");
        row(table, mode, mode.reference());
        mode.devices().forEach(d -> row(table, mode, d));
        table.print(terminal);
    }

    private static void row(TextTable table, ModeReport mode, DeviceRun run) {
        boolean reference = run == mode.reference();
        table.add(
                run.id().toString(),
                run.machine().map(m -> m.info().tier()).orElse("absent"),
                reference ? "ref" : Long.toString(mode.count(run.id(), NodeOutcome::isRight)),
                reference ? "-" : Long.toString(mode.count(run.id(), NodeOutcome::isWrong)),
                reference ? "-" : Long.toString(mode.count(run.id(), o -> o instanceof NodeOutcome.Unsupported)),
                run.endToEnd().map(e -> CompareSheet.error(e.nmse())).orElse("-"),
                run.endToEnd().map(e -> CompareSheet.error(e.largest())).orElse("-"),
                run.endToEnd().map(CompareText::agreement).orElse("-"),
                run.machine().map(m -> m.info().description()).orElse(""));
    }

    /** Rows with the same most likely token, of all. */
    static String agreement(EndToEnd e) {
        return e.agreeing() + " of " + e.rows();
    }

    private void problems(ModeReport mode, DeviceRun run) {
        mode.firstWrong(run.id())
                .ifPresent(n -> terminal.printf(
                        "%n%s: first wrong node: %s %s: %s%n",
                        run.id(),
                        n.step(),
                        n.node().label(),
                        CompareSheet.complaint(n.outcomes().get(run.id()))));
        Map<String, List<String>> reasons = new LinkedHashMap<>();
        mode.nodes().forEach(n -> {
            if (n.outcomes().get(run.id()) instanceof NodeOutcome.Unsupported u) {
                reasons.computeIfAbsent(u.reason(), r -> new ArrayList<>())
                        .add(n.step() + " " + n.node().label());
            }
        });
        reasons.forEach((reason, nodes) -> terminal.printf(
                "%n%s: no kernel for %d nodes, first %s: %s%n", run.id(), nodes.size(), nodes.getFirst(), reason));
        if (reasons.isEmpty()) {
            run.problem().ifPresent(p -> terminal.printf("%n%s: did not run the whole graph: %s%n", run.id(), p));
        } else if (run.problem().isPresent()) {
            terminal.printf("%s: so it did not run the whole graph%n", run.id());
        }
    }

    private void worst(ModeReport mode) {
        TextTable table = new TextTable(
                true, "farthest nodes", "step", "nmse", "max |diff|", "max ulp", "of tolerance", "kernel", "node");
        int rows = 0;
        for (DeviceRun run : mode.devices()) {
            for (CompareSheet.Worst w : CompareSheet.worst(mode, run.id(), WORST)) {
                table.add(
                        run.id().toString(),
                        w.node().step(),
                        CompareSheet.error(w.difference().nmse()),
                        CompareSheet.error(w.difference().largest().amount()),
                        CompareSheet.ulps(w.difference()),
                        CompareSheet.share(w.difference().share()),
                        w.outcome().kernel(),
                        w.node().node().label() + " " + w.difference().largest().at());
                rows++;
            }
        }
        terminal.printf("%n");
        if (rows == 0) {
            terminal.printf("no node differs from the reference in any bit%n");
        } else {
            table.print(terminal);
        }
    }

    private void times(ModeReport mode) {
        TextTable table = new TextTable(true, "times", "step", "median ms", "p10 ms", "p90 ms", "of limit", "limit");
        int rows = 0;
        for (DeviceRun run : mode.devices()) {
            for (var step : run.times().entrySet()) {
                Result r = step.getValue().step();
                table.add(
                        run.id().toString(),
                        step.getKey(),
                        CompareSheet.millis(r.secondsMedian()),
                        CompareSheet.millis(r.secondsP10()),
                        CompareSheet.millis(r.secondsP90()),
                        r.limit().map(l -> CompareSheet.share(l.share())).orElse("-"),
                        r.limit().map(l -> l.kind().title()).orElse("none measured"));
                rows++;
            }
        }
        if (rows > 0) {
            terminal.printf("%n");
            table.print(terminal);
        }
    }
}
