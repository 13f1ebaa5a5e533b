package dev.weft.benchmarks;

import dev.weft.benchmarks.peer.Peer;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Outcomes as a table, line by line as they come, or as one JSON document at the end. */
final class Report {
    private static final String HUGE_PAGES = "glibc.malloc.hugetlb=";
    private static final String NO_HUGE_PAGES =
            "peers have 4 KiB pages and may be several times slower than they can be; set GLIBC_TUNABLES=" + HUGE_PAGES
                    + "1 and use a system that gives huge pages on request";

    private final PrintStream out;
    private final boolean json;
    private final ObjectNode document = JsonNodeFactory.instance.objectNode();
    private final ArrayNode works = document.putArray("works");

    Report(PrintStream out, boolean json) {
        this.out = out;
        this.json = json;
    }

    /** What takes part and what does not. */
    void begin(String device, int threads, int rounds, List<Peer> peers) {
        document.put("device", device).put("threads", threads).put("rounds", rounds);
        ArrayNode list = document.putArray("peers");
        line("weft: %s, %d thread(s), %d rounds", device, threads, rounds);
        for (Peer peer : peers) {
            boolean present = peer instanceof Peer.Present;
            String text = peer instanceof Peer.Absent absent ? absent.reason() : ((Peer.Present) peer).description();
            list.addObject()
                    .put("name", peer.name())
                    .put("present", present)
                    .put(present ? "description" : "reason", text);
            line("%s: %s%s", peer.name(), present ? "" : "absent: ", text);
        }
        if (!System.getenv().getOrDefault("GLIBC_TUNABLES", "").contains(HUGE_PAGES)) {
            document.put("note", NO_HUGE_PAGES);
            line("note: %s", NO_HUGE_PAGES);
        }
        line("");
        line(
                "%-48s %-9s %10s %10s %8s %8s %15s %9s  %s",
                "work", "", "p10 ms", "median ms", "Gop/s", "GB/s", "weft is faster", "error", "");
    }

    /** One work. Rates are those of the tenth percentile. */
    void add(Contest.Outcome outcome) {
        ObjectNode node = works.addObject();
        node.put("work", outcome.work().name())
                .put("copies", outcome.work().copies())
                .put("flops", outcome.work().flops())
                .put("bytes", outcome.work().bytes());
        ArrayNode entries = node.putArray("entries");
        Timings own = outcome.own().seconds();
        String label = outcome.work().name();
        for (Contest.Entry e : outcome.entries()) {
            ObjectNode entry =
                    times(entries.addObject().put("name", e.name()).put("detail", e.detail()), outcome, e.seconds());
            entry.put("error", e.error());
            boolean self = e == outcome.own();
            if (!self) {
                ratio(entry, "weftFaster", e.seconds(), own);
            }
            row(
                    outcome,
                    label,
                    e.name(),
                    e.seconds(),
                    self ? "" : ratio(e.seconds(), own),
                    "%.1e".formatted(e.error()),
                    e.detail());
            label = "";
        }
        ArrayNode limits = node.putArray("limits");
        for (Contest.Bound b : outcome.limits()) {
            ObjectNode limit = times(limits.addObject().put("name", b.name()), outcome, b.seconds());
            ratio(limit, "ofLimit", b.seconds(), own);
            row(outcome, "", b.name(), b.seconds(), ratio(b.seconds(), own), "", "limit: weft's share of it");
        }
    }

    private static ObjectNode times(ObjectNode node, Contest.Outcome outcome, Timings t) {
        return node.put("p10", t.p10())
                .put("median", t.median())
                .put("gops", outcome.work().flops() / t.p10() * 1e-9)
                .put("gbps", outcome.work().bytes() / t.p10() * 1e-9);
    }

    /** At the tenth percentiles, and the median of the rounds' quotients. */
    private static void ratio(ObjectNode node, String name, Timings other, Timings own) {
        node.putObject(name)
                .put("p10", other.p10() / own.p10())
                .put("median", other.over(own).median());
    }

    private static String ratio(Timings other, Timings own) {
        return "%.2f / %.2f".formatted(other.p10() / own.p10(), other.over(own).median());
    }

    private void row(
            Contest.Outcome o, String label, String name, Timings t, String ratio, String error, String detail) {
        line(
                "%-48s %-9s %10.3f %10.3f %8.1f %8.1f %15s %9s  %s",
                label,
                name,
                t.p10() * 1e3,
                t.median() * 1e3,
                o.work().flops() / t.p10() * 1e-9,
                o.work().bytes() / t.p10() * 1e-9,
                ratio,
                error,
                detail);
    }

    /** A work that could not be measured. */
    void fail(String work, String reason) {
        works.addObject().put("work", work).put("failure", reason);
        line("%-48s FAILED: %s", work, reason);
    }

    private void line(String format, Object... arguments) {
        if (!json) {
            out.println(String.format(Locale.ROOT, format, arguments).stripTrailing());
        }
    }

    /** Prints the document, if that is wanted. */
    void end() {
        if (json) {
            out.println(new JsonMapper().writerWithDefaultPrettyPrinter().writeValueAsString(document));
        }
    }
}
