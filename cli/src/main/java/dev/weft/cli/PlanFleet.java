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
     * @throws UsageException if those peaks are not known
     */
    static PlanFleet of(String kind, int count, @Nullable Path file, @Nullable String peaks) {
        if (kind.equalsIgnoreCase(CPU)) {
            if (file != null || PUBLISHED.equals(peaks)) {
                throw new UsageException((file != null ? "--hardware-file: found " + file : "--peaks: found published")
                        + " with --hardware cpu, whose peaks are measured now");
            }
            return cpu(count);
        }
        HardwareCatalog catalog = file == null ? HardwareCatalog.builtIn() : HardwareCatalog.read(file);
        if (catalog.all().stream().noneMatch(h -> h.kind().equalsIgnoreCase(kind))) {
            throw new UsageException("--hardware: found '" + kind + "', expected "
                    + String.join(
                            ", ", catalog.all().stream().map(Hardware::kind).toList()) + " or " + CPU);
        }
        Hardware hardware = catalog.find(kind);
        if (!MEASURED.equals(peaks)) {
            return new PlanFleet(hardware, hardware.published(), PUBLISHED, hardware.source(), count, true);
        }
        if (hardware.measured() == null) {
            throw new UsageException("--peaks: found measured, but none are known of " + hardware.name()
                    + "; add them as \"measured\" to a file for --hardware-file");
        }
        String source = "measured, as " + file + " says, where it does; else " + hardware.source();
        return new PlanFleet(hardware, hardware.measured(), MEASURED, source, count, true);
    }

    /** E4M3 and E2M1 values are exact in BF16, and are multiplied as such: all formats have the rate of one unit. */
    private static PlanFleet cpu(int count) {
        if (count != 1) {
            throw new UsageException(
                    "--count: found " + count + " with --hardware cpu, expected 1: no link between hosts is measured");
        }
        try (Weft weft = Weft.open();
                Device device = weft.device("cpu:0")) {
            DeviceInfo info = device.info();
            BenchOptions.requireHardware(info);
            MeasuredPeaks p = MeasuredPeaks.of(device)
                    .orElseThrow(() -> new RequestException("hardware: found cpu, but " + info.description()
                            + " measures no computing; build the native kernels"));
            Peaks peaks = new Peaks(p.read(), p.compute(), p.compute(), null, Double.POSITIVE_INFINITY);
            String source = "measured just now by " + p.measuredBy() + ": memory read, "
                    + p.unit().title();
            return new PlanFleet(
                    new Hardware(CPU, info.description(), info.memoryBytes(), peaks, peaks, source),
                    peaks,
                    MEASURED,
                    source,
                    1,
                    false);
        }
    }
}
