package dev.weft.bench;

import dev.weft.spi.HardwareLimit;

/**
 * What one run of something has to do at least.
 *
 * @param bytes bytes to be moved from or to memory
 * @param flops multiplications and additions
 * @param unit what computes them at best, {@link HardwareLimit#BF16_DOT} for everything of BF16 and narrower
 */
public record Work(double bytes, double flops, HardwareLimit unit) {
    /** Both together, computed by this one's unit. */
    public Work plus(Work other) {
        return new Work(bytes + other.bytes, flops + other.flops, unit);
    }
}
