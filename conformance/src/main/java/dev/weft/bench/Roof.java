package dev.weft.bench;

import dev.weft.spi.HardwareLimit;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;

/**
 * The roofline of a device as it was while something was timed: how fast it reads, and how fast its units compute.
 *
 * @param perSecond bytes per second of {@link HardwareLimit#READ}, operations per second of every unit that was measured;
 *     medians of the rounds
 * @param measuredBy what measured them
 */
public record Roof(Map<HardwareLimit, Double> perSecond, String measuredBy) {
    public Roof {
        perSecond = Collections.unmodifiableMap(new EnumMap<>(perSecond));
    }

    /** Bytes per second read from memory. */
    public double read() {
        return perSecond.get(HardwareLimit.READ);
    }

    /** Operations per second of the units, without {@link HardwareLimit#READ}. */
    public Map<HardwareLimit, Double> units() {
        Map<HardwareLimit, Double> units = new EnumMap<>(perSecond);
        units.remove(HardwareLimit.READ);
        return units;
    }
}
