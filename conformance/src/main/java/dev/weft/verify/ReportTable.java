package dev.weft.verify;

import java.util.Locale;

/** A report as text of fixed width. */
final class ReportTable {
    private static final String ROW = "%-14s %-10s %9s %10s %10s %8s  %s%n";

    private ReportTable() {}

    static String of(ModeReport report) {
        StringBuilder text = new StringBuilder(String.format(
                Locale.ROOT,
                "%s against %s%n",
                report.graph(),
                report.reference().id()));
        for (DeviceRun run : report.devices()) {
            text.append(String.format(
                    Locale.ROOT,
                    "%s: %d nodes right, %d wrong, %d without a kernel; %s%n",
                    run.id(),
                    report.count(run.id(), NodeOutcome::isRight),
                    report.count(run.id(), NodeOutcome::isWrong),
                    report.count(run.id(), o -> o instanceof NodeOutcome.Unsupported),
                    run.problem()
                            .orElseGet(
                                    () -> run.endToEnd().map(ReportTable::whole).orElse(""))));
            report.firstWrong(run.id())
                    .ifPresent(n -> text.append(String.format(
                            "%s: first wrong node: %s %s%n",
                            run.id(), n.step(), n.node().label())));
        }
        text.append(
                String.format(ROW, "device", "status", "nmse", "max |diff|", "max ulp", "of limit", "node, and where"));
        for (NodeReport node : report.nodes()) {
            node.outcomes().forEach((id, outcome) -> text.append(row(id.toString(), node, outcome)));
        }
        return text.toString();
    }

    private static String whole(EndToEnd e) {
        return String.format(Locale.ROOT, "outputs nmse %.1e, largest difference %.1e", e.nmse(), e.largest());
    }

    private static String row(String device, NodeReport node, NodeOutcome outcome) {
        String label = node.step() + " " + node.node().label();
        return switch (outcome) {
            case NodeOutcome.Compared c -> {
                Difference d = c.difference();
                yield String.format(
                        Locale.ROOT,
                        ROW,
                        device,
                        c.isRight() ? "right" : "wrong",
                        number(d.nmse()),
                        number(d.largest().amount()),
                        d.ulps().map(u -> number(u.amount())).orElse("-"),
                        number(d.share()),
                        label + " " + d.largest().at());
            }
            case NodeOutcome.Unsupported u ->
                String.format(ROW, device, "no kernel", "-", "-", "-", "-", label + ": " + u.reason());
            case NodeOutcome.Failed f ->
                String.format(ROW, device, "failed", "-", "-", "-", "-", label + ": " + f.message());
        };
    }

    private static String number(double value) {
        return value == 0 ? "0" : String.format(Locale.ROOT, "%.1e", value);
    }
}
