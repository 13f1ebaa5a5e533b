package dev.weft.cli;

import dev.weft.bench.Result;
import dev.weft.runtime.Device;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.DoubleStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Results of a benchmark as one document, from which every form of output is made. Its fields are described in {@code
 * docs/benchmarks.md} and stay as they are.
 */
final class BenchReport {
    /** Fields that stand at the top if they hold for all results, else in each. */
    private static final List<String> SHARED =
            List.of("device", "hardware", "tier", "level", "threads", "numerics", "clock");

    /** Benchmarks of what a device computes; others are about more than the device. */
    private static final Set<String> OF_KERNELS = Set.of("gemm", "piece", "op", "layer");

    private final String benchmark;
    private final BenchOptions options;
    private final ObjectNode settings;
    private final @Nullable Terminal terminal;
    private final List<ObjectNode> results = new ArrayList<>();

    /**
     * @param settings fields that describe what was asked for; they stand before the results
     * @param terminal where results are printed; null for a rank that prints none
     */
    BenchReport(String benchmark, BenchOptions options, ObjectNode settings, @Nullable Terminal terminal) {
        this.benchmark = benchmark;
        this.options = options;
        this.settings = settings;
        this.terminal = terminal;
    }

    /** How many results there are. */
    int size() {
        return results.size();
    }

    /** Adds a result; JSON lines are printed at once, for what follows may fail. @param details further fields of its JSON object */
    void add(Device device, Result r, ObjectNode details) {
        ObjectNode to = Json.object();
        to.put("work", r.name());
        to.put("device", device.id().toString());
        to.put("hardware", device.info().description());
        to.put("tier", device.info().tier());
        to.put("level", device.level());
        to.put("threads", device.threads());
        to.put("clock", OF_KERNELS.contains(benchmark) && device.hasClock() ? "device" : "host");
        to.setAll(details);
        to.put("bytes", (long) r.work().bytes());
        to.put("flops", (long) r.work().flops());
        ObjectNode seconds = to.putObject("seconds");
        seconds.put("p10", r.secondsP10()).put("median", r.secondsMedian());
        seconds.put("mean", r.secondsMean()).put("deviation", r.secondsDeviation());
        seconds.put("least", r.secondsLeast());
        ArrayNode samples = seconds.putArray("samples");
        DoubleStream.of(r.seconds()).forEach(samples::add);
        to.put("gbps", r.bytesPerSecond() / 1e9);
        to.put("gflops", r.flopsPerSecond() / 1e9);
        r.limit().ifPresentOrElse(l -> limit(l, to), () -> to.putNull("limit").putNull("ofLimit"));
        results.add(to);
        if (terminal != null && options.output().isStream()) {
            options.output().print(terminal, document(List.of(to)));
        }
    }

    /** Writes in the forms asked for what is not printed yet. */
    void write() throws IOException {
        if (terminal != null) {
            ObjectNode document = document(results);
            options.output().write(terminal, document, BenchRows.of(document));
        }
    }

    private ObjectNode document(List<ObjectNode> rows) {
        ObjectNode root = Json.object();
        root.put("benchmark", benchmark);
        root.put("command", options.output().command());
        root.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        root.put("weft", Version.text());
        root.put("java", System.getProperty("java.runtime.version", "unknown"));
        root.put("system", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        root.put("rounds", options.rounds().count());
        root.put("warmUp", options.rounds().warmUp());
        root.put("seed", options.seed());
        root.setAll(settings);
        List<ObjectNode> own = rows.stream().map(ObjectNode::deepCopy).toList();
        for (String field : SHARED) {
            JsonNode value = own.getFirst().path(field);
            if (!value.isMissingNode()
                    && own.stream().allMatch(r -> r.path(field).equals(value))) {
                root.set(field, value);
                own.forEach(r -> r.remove(field));
            }
        }
        root.putArray("results").addAll(own);
        return root;
    }

    private static void limit(Result.Limit limit, ObjectNode to) {
        to.putObject("limit")
                .put("kind", limit.kind().key())
                .put("value", limit.value())
                .put("unit", limit.kind().unit())
                .put("measuredBy", limit.measuredBy());
        to.put("ofLimit", limit.share());
        to.put("ofLimitP10", limit.shareP10());
        ObjectNode ceilings = to.putObject("ceilings");
        limit.roof().perSecond().forEach((kind, rate) -> ceilings.put(kind.key(), rate));
    }
}
