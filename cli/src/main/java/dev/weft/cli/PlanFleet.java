package dev.weft.cli;

import dev.weft.RequestException;
import dev.weft.bench.MeasuredPeaks;
import dev.weft.plan.Hardware;
import dev.weft.plan.HardwareCatalog;
import dev.weft.plan.Peaks;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.DeviceInfo;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The devices of a plan.
 *
 * @param hardware their kind
 * @param peaks what to count with
 * @param origin {@code published} or {@code measured}
 * @param source where the peaks are from, for people
 * @param count how many
 * @param calibrated whether the fit of the cost model was made for such devices at all; it was not for CPUs
 */
record PlanFleet(Hardware hardware, Peaks peaks, String origin, String source, int count, boolean calibrated) {
    static final String PUBLISHED = "published";
    static final String MEASURED = "measured";

    /** The kind that is not in any file: the processor this runs on. */
    static final String CPU = "cpu";

    /**
     * Devices of a kind.
     *
     * @param file their peaks; null for the built-in ones
     * @param peaks {@link #PUBLISHED} or {@link #MEASURED}; null for what there is
     * @param runs what runs of the bench measured; null if there are none
     * @throws UsageException if those peaks are not known
     */
    static PlanFleet of(
            String kind, int count, @Nullable Path file, @Nullable String peaks, @Nullable BenchPeaks runs) {
        if (runs != null && PUBLISHED.equals(peaks)) {
            throw new UsageException("--peaks: found published with --measured, whose peaks count");
        }
        if (kind.equalsIgnoreCase(CPU) && file == null) {
            if (PUBLISHED.equals(peaks)) {
                throw new UsageException("--peaks: found published with --hardware cpu, whose peaks are measured now");
            }
            return cpu(count, runs);
        }
        HardwareCatalog catalog = file == null ? HardwareCatalog.builtIn() : HardwareCatalog.read(file);
        if (catalog.all().stream().noneMatch(h -> h.kind().equalsIgnoreCase(kind))) {
            throw new UsageException("--hardware: found '" + kind + "', expected "
                    + String.join(
                            ", ", catalog.all().stream().map(Hardware::kind).toList()) + " or " + CPU);
        }
        PlanFleet fleet = known(catalog.find(kind), count, file, peaks, runs);
        if (count > 1 && Double.isInfinite(fleet.peaks.link())) {
            throw new UsageException(
                    "--count: found " + count + ", expected 1: the file gives no linkGBps of " + fleet.hardware.name());
        }
        return fleet;
    }

    private static PlanFleet known(
            Hardware hardware, int count, @Nullable Path file, @Nullable String peaks, @Nullable BenchPeaks runs) {
        boolean calibrated = !hardware.kind().equals(CPU);
        if (runs != null) {
            Peaks before = hardware.measured() == null ? hardware.published() : hardware.measured();
            Peaks measured = calibrated ? runs.over(before) : runs.ofCpu(before.link());
            String source = runs.source() + ", where it does; else " + hardware.source();
            return new PlanFleet(hardware.withMeasured(measured), measured, MEASURED, source, count, calibrated);
        }
        if (!MEASURED.equals(peaks)) {
            return new PlanFleet(hardware, hardware.published(), PUBLISHED, hardware.source(), count, calibrated);
        }
        if (hardware.measured() == null) {
            throw new UsageException("--peaks: found measured, but none are known of " + hardware.name()
                    + "; add them as \"measured\" to a file for --hardware-file, or name runs with --measured");
        }
        String source = "measured, as " + file + " says, where it does; else " + hardware.source();
        return new PlanFleet(hardware, hardware.measured(), MEASURED, source, count, calibrated);
    }

    private static PlanFleet cpu(int count, @Nullable BenchPeaks runs) {
        if (count != 1) {
            throw new UsageException(
                    "--count: found " + count + " with --hardware cpu, expected 1: no link between hosts is measured");
        }
        try (Weft weft = Weft.open();
                Device device = weft.device("cpu:0")) {
            DeviceInfo info = device.info();
            return runs == null
                    ? cpu(info, measuredNow(device), "measured just now")
                    : cpu(info, runs.ofCpu(Double.POSITIVE_INFINITY), runs.source());
        }
    }

    private static PlanFleet cpu(DeviceInfo info, Peaks peaks, String source) {
        Hardware hardware = new Hardware(CPU, info.description(), info.memoryBytes(), peaks, peaks, source);
        return new PlanFleet(hardware, peaks, MEASURED, source, 1, false);
    }

    /** E4M3 and E2M1 values are exact in BF16, and are multiplied as such: all formats have the rate of one unit. */
    private static Peaks measuredNow(Device device) {
        DeviceInfo info = device.info();
        BenchOptions.requireHardware(info);
        MeasuredPeaks p = MeasuredPeaks.of(device)
                .orElseThrow(() -> new RequestException("hardware: found cpu, but " + info.description()
                        + " measures no computing; build the native kernels"));
        return new Peaks(p.read(), p.compute(), p.compute(), null, Double.POSITIVE_INFINITY);
    }
}
