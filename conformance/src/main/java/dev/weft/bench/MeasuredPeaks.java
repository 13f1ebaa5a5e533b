package dev.weft.bench;

import dev.weft.runtime.Device;
import dev.weft.spi.HardwareLimit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;

/**
 * What a device does at most, as found at this moment: the median of a few rounds.
 *
 * @param read bytes per second read from its memory
 * @param unit what computes fastest without losing bits of BF16: BF16 dot products, else F32 multiply-add
 * @param compute operations of that unit per second
 * @param measuredBy what measured
 */
public record MeasuredPeaks(double read, HardwareLimit unit, double compute, String measuredBy) {
    private static final int WARM_UP = 2;
    private static final int ROUNDS = 7;

    /** More than any cache holds. */
    private static final double BYTES = 256 << 20;

    /**
     * Measures a device for some tenths of a second.
     *
     * @return empty if it measures no memory read or no unit that computes
     */
    public static Optional<MeasuredPeaks> of(Device device) {
        EnumSet<HardwareLimit> units = EnumSet.of(HardwareLimit.BF16_DOT, HardwareLimit.F32_FMA);
        Ceilings ceilings = Ceilings.of(device, BYTES, units).orElse(null);
        if (ceilings == null) {
            return Optional.empty();
        }
        try (ceilings) {
            List<Ceilings.Rates> rounds = new ArrayList<>();
            for (int i = 0; i < WARM_UP + ROUNDS; i++) {
                rounds.add(ceilings.measure());
            }
            List<Ceilings.Rates> counted = rounds.subList(WARM_UP, rounds.size());
            return units.stream()
                    .filter(u -> counted.getFirst().perSecond().containsKey(u))
                    .map(u -> new MeasuredPeaks(
                            median(counted, HardwareLimit.READ), u, median(counted, u), ceilings.measuredBy()))
                    .max(Comparator.comparingDouble(MeasuredPeaks::compute));
        }
    }

    private static double median(List<Ceilings.Rates> rounds, HardwareLimit limit) {
        return Quantile.median(rounds.stream().mapToDouble(r -> r.rate(limit)).toArray());
    }
}
