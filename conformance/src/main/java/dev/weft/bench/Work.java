package dev.weft.bench;

import dev.weft.runtime.Placement;
import dev.weft.spi.HardwareLimit;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What one run of something has to do at least.
 *
 * @param bytes bytes to be moved from or to memory
 * @param flops multiplications and additions
 * @param unit what computes them at best, {@link HardwareLimit#BF16_DOT} for everything of BF16 and narrower
 */
public record Work(double bytes, double flops, HardwareLimit unit) {
    /** Ends the name of a kernel on FP8 units, before or without the names of others. */
    private static final Pattern FP8_UNITS = Pattern.compile("/fp8(,|$)");

    /** This work as kernels of these names do it: products on FP8 units where one of them has those. */
    Work by(String kernels) {
        return FP8_UNITS.matcher(kernels).find() ? new Work(bytes, flops, HardwareLimit.FP8_DOT) : this;
    }

    /** Both together, computed by this one's unit. */
    public Work plus(Work other) {
        return new Work(bytes + other.bytes, flops + other.flops, unit);
    }

    /**
     * What every kernel of a graph has to do: the work of several nodes that one computes goes to the last of them, by the
     * unit of the one with the most arithmetic.
     *
     * @param ofNodes work of every node, in the graph's order
     */
    static List<Work> ofKernels(Placement placement, List<Work> ofNodes) {
        List<Work> sums = new ArrayList<>(ofNodes);
        for (Placement.Row row : placement.rows()) {
            if (row.isJoined()) {
                Work own = ofNodes.get(row.index());
                Work sum = sums.get(row.last());
                sums.set(row.last(), own.flops > sum.flops ? own.plus(sum) : sum.plus(own));
            }
        }
        return sums;
    }
}
