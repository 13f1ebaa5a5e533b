package dev.weft.plan;

import dev.weft.parallel.ParallelPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How a model lies on devices, and whether it fits: attention data-parallel over groups, tensor-parallel within each,
 * experts over all devices. Bytes are those of the fullest device.
 *
 * @param dataParallel groups that hold different sequences
 * @param tensorParallel devices of a group, which share its weights; the one head of keys and values is on each
 * @param expertParallel devices among which the experts are dealt
 * @param head devices among which embedding and output head are dealt: blocks of so many have them once; 1 if each has them
 * @param output devices among which the output projections of attention are; 1 if each has them
 * @param sharedBytes attention, shared experts, router and the rest of the MTP blocks, of which a device has its part
 * @param dealtBytes what is dealt to all devices, in the formats of the checkpoint
 * @param cacheBytes caches and tail states
 * @param rankBytes what Weft holds on the device, weights and states; null if it does not run this layout
 * @param obstacle why it cannot be used; null if it can
 * @param plannedOnly why Weft does not run it though it could be; null if it does
 */
public record Layout(
        int dataParallel,
        int tensorParallel,
        int expertParallel,
        int head,
        int output,
        double sharedBytes,
        double dealtBytes,
        double cacheBytes,
        @Nullable Double rankBytes,
        @Nullable String obstacle,
        @Nullable String plannedOnly) {
    /** Bytes on the fullest device. */
    public double heldBytes() {
        return sharedBytes + dealtBytes + cacheBytes;
    }

    /** Whether it can be used. */
    public boolean fits() {
        return obstacle == null;
    }

    /** The plan with which Weft loads and runs it; empty if it does not. */
    public Optional<ParallelPlan> parallelPlan() {
        return plannedOnly == null
                ? Optional.of(new ParallelPlan(expertParallel, head, output, false, null, 0, ParallelPlan.AUTOMATIC))
                : Optional.empty();
    }

    /** As in {@code DP4 x TP2 EP8}, or without tensor parallelism {@code DP16 EP16}. */
    public String name() {
        return "DP" + dataParallel + (tensorParallel > 1 ? " x TP" + tensorParallel : "") + " EP" + expertParallel;
    }

    /**
     * What is dealt besides the experts, as {@code --spread} names it: {@code head}, {@code output=4}, without a number over
     * all devices.
     */
    public List<String> spread() {
        List<String> parts = new ArrayList<>();
        add("head", head, parts);
        add("output", output, parts);
        return parts;
    }

    private void add(String part, int block, List<String> to) {
        if (block > 1) {
            to.add(block < expertParallel ? part + "=" + block : part);
        }
    }
}
