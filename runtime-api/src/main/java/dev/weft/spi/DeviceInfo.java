package dev.weft.spi;

import dev.weft.DeviceId;
import java.util.List;

/**
 * What a device is, for people and reports.
 *
 * @param id its id without variant
 * @param description processor or product name and level in use
 * @param tier what produces the numbers: {@code hardware}, {@code emulator} or {@code reference}
 * @param memoryBytes bytes of its memory, 0 if unknown
 * @param variants further ways to open the same device, as in {@code cpu:0/scalar}
 */
public record DeviceInfo(DeviceId id, String description, String tier, long memoryBytes, List<String> variants) {
    /** The tier whose times say nothing about hardware. */
    public static final String EMULATOR = "emulator";

    public DeviceInfo {
        variants = List.copyOf(variants);
    }

    /** Whether software plays the device: results may be shown as such, times never. */
    public boolean isEmulator() {
        return tier.equals(EMULATOR);
    }
}
