package dev.weft.cli;

import dev.weft.plan.Peaks;
import dev.weft.spi.HardwareLimit;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Peaks that runs of {@code weft bench} found: the highest rate among the limits that their results were held against.
 *
 * @param hardware what was measured
 * @param rates by limit
 * @param files the runs
 */
record BenchPeaks(String hardware, Map<HardwareLimit, Double> rates, List<Path> files) {
    /** @throws UsageException if a file is no run, the runs are of different hardware, or they tell no limit */
    static BenchPeaks read(List<Path> files) throws IOException {
        TreeSet<String> hardware = new TreeSet<>();
        Map<HardwareLimit, Double> rates = new EnumMap<>(HardwareLimit.class);
        for (Path file : files) {
            JsonNode run = BenchDiff.read(file);
            for (JsonNode result : run.path("results")) {
                hardware.add(BenchDiff.field(run, result, "hardware").asString("unknown hardware"));
                limit(file, result, rates);
            }
        }
        if (hardware.size() != 1) {
            throw new UsageException("--measured: found runs on " + (hardware.isEmpty() ? "nothing" : hardware)
                    + ", expected runs on one kind of device");
        }
        if (rates.isEmpty()) {
            throw new UsageException("--measured: found no limit in " + files
                    + ", expected runs on a device that measures its limits, as weft bench gemm --m 1 does for memory");
        }
        return new BenchPeaks(hardware.first(), rates, List.copyOf(files));
    }

    private static void limit(Path file, JsonNode result, Map<HardwareLimit, Double> rates) {
        JsonNode limit = result.path("limit");
        if (!limit.isObject()) {
            return;
        }
        double value = limit.path("value").asDouble(0);
        if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
            throw new UsageException(file + ": limit.value: found " + limit.path("value") + ", expected a rate");
        }
        for (HardwareLimit kind : HardwareLimit.values()) {
            if (kind.key().equals(limit.path("kind").asString(""))) {
                rates.merge(kind, value, Math::max);
            }
        }
    }

    /** What was measured in place of what was published; FP8 and FP4 rates stay, for no bench measures those units. */
    Peaks over(Peaks published) {
        return new Peaks(
                rates.getOrDefault(HardwareLimit.READ, published.memory()),
                published.fp8(),
                rates.getOrDefault(HardwareLimit.BF16_DOT, published.bf16()),
                published.fp4(),
                published.link());
    }

    /**
     * The peaks of a CPU, on which E4M3 and E2M1 values are exact in BF16 and multiplied as such: one unit has all formats.
     *
     * @param link rate to other hosts, which no run tells
     * @throws UsageException if the runs tell only one of memory and computing
     */
    Peaks ofCpu(double link) {
        Double read = rates.get(HardwareLimit.READ);
        Double compute = compute();
        if (read == null || compute == null) {
            throw new UsageException("--measured: found "
                    + rates.keySet().stream().map(HardwareLimit::title).toList()
                    + " in " + files + ", expected a limit of memory and one of computing: decode is bound by the one,"
                    + " long prompts by the other, so weft bench model -p 512 -n 32 finds both");
        }
        return new Peaks(read, compute, compute, null, link);
    }

    private @Nullable Double compute() {
        Double dot = rates.get(HardwareLimit.BF16_DOT);
        return dot == null ? rates.get(HardwareLimit.F32_FMA) : dot;
    }

    /** Where the peaks are from, for people. */
    String source() {
        return "measured on " + hardware + ", as "
                + String.join(", ", files.stream().map(Path::toString).toList())
                + (files.size() == 1 ? " says" : " say");
    }
}
