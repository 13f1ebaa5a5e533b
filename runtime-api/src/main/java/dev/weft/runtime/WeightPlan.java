package dev.weft.runtime;

import dev.weft.DeviceMemoryException;
import dev.weft.GraphException;
import dev.weft.TensorType;
import dev.weft.graph.Value;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import dev.weft.spi.WeightSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Which weights some graphs need, in which layout, when they are read, and where each lies in one allocation. */
final class WeightPlan {
    private static final String ROW_MAJOR = "row-major";

    /** One copy of a weight on the device. */
    record Key(String name, String layout) {
        static Key of(Value v, Optional<WeightLayout.Packing> packing) {
            return new Key(v.name(), packing.map(WeightLayout.Packing::id).orElse(ROW_MAJOR));
        }
    }

    /** What is known of a weight, and where it goes. */
    static final class Item {
        private final TensorType type;
        private final Optional<WeightLayout.Packing> packing;
        /** Null unless every kernel that reads the weight can read it on demand. */
        private WeightLayout.@Nullable Paging paging;

        /** Set for weights that are read on demand. */
        private @Nullable WeightData source;

        private long offset;

        Item(TensorType type, Optional<WeightLayout.Packing> packing, WeightLayout.@Nullable Paging paging) {
            this.type = type;
            this.packing = packing;
            this.paging = paging;
        }

        TensorType type() {
            return type;
        }

        Optional<WeightLayout.Packing> packing() {
            return packing;
        }

        /** Where it lies; for a weight in slots where those begin. */
        long offset() {
            return offset;
        }

        boolean isPaged() {
            return source != null;
        }

        boolean isInSlots() {
            return isPaged() && paging != null && paging.mayGiveWay();
        }

        WeightLayout.Paging paging() {
            if (paging == null) {
                throw new IllegalStateException("weight of type " + type + " is not paged");
            }
            return paging;
        }

        WeightData source() {
            if (source == null) {
                throw new IllegalStateException("weight of type " + type + " is not paged");
            }
            return source;
        }

        private long bytes() {
            return packing.map(p -> MemoryPlan.align(p.bytes())).orElseGet(() -> MemoryPlan.storageBytes(type));
        }
    }

    private final Map<Key, Item> items = new LinkedHashMap<>();
    /** Per step the weights it reads, to know how many units one step may need at once. */
    private final List<List<Item>> steps = new ArrayList<>();

    private long bytes;
    private long slotBytes;
    private long slots;

    private WeightPlan() {}

    static WeightPlan of(List<CompiledGraph> graphs, WeightSource source) {
        WeightPlan plan = new WeightPlan();
        BackendDevice device = graphs.getFirst().device().spi();
        graphs.forEach(g -> g.steps().forEach(s -> plan.add(device, s)));
        long available = device.availableBytes().orElse(Long.MAX_VALUE) - bytesOfExecutions(graphs);
        long all = plan.items.values().stream().mapToLong(Item::bytes).sum();
        boolean onDemand = switch (graphs.getFirst().options().weights()) {
            case PACKED -> false;
            case FILE -> true;
            case AUTO -> all > available;
        };
        if (onDemand) {
            plan.chooseSources(source);
        }
        plan.lay(available);
        return plan;
    }

    /** Bytes of weights by name, each in every layout that a kernel of the graph wants. */
    static long bytes(CompiledGraph graph, Predicate<String> names) {
        WeightPlan plan = new WeightPlan();
        graph.steps().forEach(s -> plan.add(graph.device().spi(), s));
        return plan.items.entrySet().stream()
                .filter(e -> names.test(e.getKey().name()))
                .mapToLong(e -> e.getValue().bytes())
                .sum();
    }

    private static long bytesOfExecutions(List<CompiledGraph> graphs) {
        return graphs.stream()
                .map(CompiledGraph::placement)
                .mapToLong(p -> p.valueBytes() + p.workspaceBytes() + p.stateBytes())
                .sum();
    }

    private void add(BackendDevice device, Step step) {
        List<Item> read = new ArrayList<>();
        for (Step.Operand o : step.operands()) {
            Value v = o.value();
            if (!CompiledGraph.isWeight(v)) {
                continue;
            }
            Optional<WeightLayout.Packing> packing = CompiledGraph.packing(device, step, o);
            WeightLayout.@Nullable Paging paging =
                    CompiledGraph.paging(device, step, o).orElse(null);
            Item known = items.computeIfAbsent(Key.of(v, packing), k -> new Item(v.type(), packing, paging));
            if (!known.type.equals(v.type())) {
                throw new GraphException("weight " + v.name() + ": one graph declares " + known.type + ", another "
                        + v.type() + "; graphs that share weights must agree");
            }
            if (known.paging != null && !known.paging.equals(paging)) {
                known.paging = null; // kernels read it in different ways: it is loaded whole
            }
            read.add(known);
        }
        steps.add(read);
    }

    /** What exists only in memory, converted weights for example, is loaded whole. */
    private void chooseSources(WeightSource source) {
        items.forEach((key, item) -> {
            if (item.paging != null) {
                WeightData data = source.weight(key.name(), item.type);
                item.source =
                        data.isInFiles() && item.paging.units() % data.parts().size() == 0 ? data : null;
            }
        });
    }

    private void lay(long available) {
        // what is read at load lies together: a small weight between unread ones would touch a huge page for itself
        // alone
        for (boolean onDemand : new boolean[] {false, true}) {
            for (Item item : items.values()) {
                if (item.isPaged() == onDemand && !item.isInSlots()) {
                    item.offset = bytes;
                    bytes += item.bytes();
                }
            }
        }
        List<Item> inSlots = items.values().stream().filter(Item::isInSlots).toList();
        if (inSlots.isEmpty()) {
            return;
        }
        slotBytes =
                inSlots.stream().mapToLong(i -> i.paging().unitBytes()).max().orElseThrow();
        long units = inSlots.stream().mapToLong(i -> i.paging().units()).sum();
        long atOnce = steps.stream().mapToLong(WeightPlan::unitsInSlots).max().orElse(0);
        slots = Math.min(units, Math.max(0, available - bytes) / slotBytes);
        if (slots < atOnce) {
            throw new DeviceMemoryException(
                    "weights: one step may need " + atOnce + " experts of " + slotBytes
                            + " bytes at once besides " + bytes + " bytes that stay, but " + available
                            + " bytes are available; raise the memory limit, compile without fusion, whose kernels read fewer weights at once, or use another device");
        }
        inSlots.forEach(i -> i.offset = bytes);
        bytes += slots * slotBytes;
    }

    private static long unitsInSlots(List<Item> read) {
        return read.stream()
                .filter(Item::isInSlots)
                .mapToLong(i -> i.paging().units())
                .sum();
    }

    /** All weights, in the order of the graphs. */
    Map<Key, Item> items() {
        return items;
    }

    /** Whether a weight is read on demand. */
    boolean isPaged() {
        return items.values().stream().anyMatch(Item::isPaged);
    }

    /** Bytes of the allocation. */
    long bytes() {
        return bytes;
    }

    long slotBytes() {
        return slotBytes;
    }

    long slots() {
        return slots;
    }

    /** Where the slots begin. */
    long slotOffset() {
        return bytes - slots * slotBytes;
    }
}
