package dev.weft.runtime;

import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.Value;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;

/**
 * Offsets of all values of a run inside one allocation. Values whose lifetimes do not meet share bytes; every size is
 * that of the upper bounds, so the plan holds for every binding of the dimensions.
 */
final class MemoryPlan {
    /** Alignment of every value: a cache line on hosts, the access size of accelerators' copies. */
    static final long ALIGNMENT = 256;

    private static final long ABSENT = -1;

    private final long[] offsets;
    private final BitSet kept;
    private final long valueBytes;
    private final long workspaceBytes;

    private MemoryPlan(long[] offsets, BitSet kept, long valueBytes, long workspaceBytes) {
        this.offsets = offsets;
        this.kept = kept;
        this.valueBytes = valueBytes;
        this.workspaceBytes = workspaceBytes;
    }

    /** First and last step that need a value, and where it went. */
    private static final class Interval {
        final int value;
        final long bytes;
        final int from;
        int to;
        long offset;

        Interval(int value, long bytes, int from) {
            this.value = value;
            this.bytes = bytes;
            this.from = from;
            this.to = from;
        }

        boolean meets(Interval other) {
            return from <= other.to && other.from <= to;
        }
    }

    static MemoryPlan of(Graph graph, List<Step> steps) {
        Interval[] intervals = new Interval[graph.values().size()];
        for (Value v : graph.values(Value.Kind.INPUT)) {
            intervals[v.id()] = new Interval(v.id(), storageBytes(v.type()), -1);
        }
        long workspace = 0;
        for (int i = 0; i < steps.size(); i++) {
            Step step = steps.get(i);
            for (Step.Operand o : step.operands()) {
                Value v = o.value();
                if (o.isResult() && !o.isInner() && !v.isState()) {
                    intervals[v.id()] = new Interval(v.id(), storageBytes(v.type()), i);
                } else if (intervals[v.root()] != null) {
                    intervals[v.root()].to = i;
                }
            }
            workspace = Math.max(
                    workspace, step.kernel() == null ? 0 : step.kernel().workspaceBytes());
        }
        for (Value out : graph.outputs().values()) {
            if (intervals[out.root()] != null) {
                intervals[out.root()].to = steps.size();
            }
        }
        List<Interval> live =
                new ArrayList<>(Arrays.stream(intervals).filter(i -> i != null).toList());
        long total = place(live);
        long[] offsets = new long[intervals.length];
        Arrays.fill(offsets, ABSENT);
        BitSet kept = new BitSet();
        for (Interval i : live) {
            offsets[i.value] = i.offset;
            kept.set(i.value, i.to == steps.size());
        }
        return new MemoryPlan(offsets, kept, total, align(workspace));
    }

    /** Largest first, each at the lowest gap among those alive at the same time. Returns the bytes needed. */
    private static long place(List<Interval> intervals) {
        intervals.sort(Comparator.comparingLong((Interval i) -> -i.bytes).thenComparingInt(i -> i.value));
        List<Interval> placed = new ArrayList<>();
        long total = 0;
        for (Interval i : intervals) {
            long offset = 0;
            for (Interval p : placed) { // kept in order of offset
                if (p.meets(i)) {
                    if (offset + i.bytes <= p.offset) {
                        break;
                    }
                    offset = Math.max(offset, p.offset + p.bytes);
                }
            }
            i.offset = offset;
            total = Math.max(total, offset + i.bytes);
            int at = placed.size();
            while (at > 0 && placed.get(at - 1).offset > offset) {
                at--;
            }
            placed.add(at, i);
        }
        return total;
    }

    /** Bytes of a value with its scales behind it, a whole number of alignments. */
    static long storageBytes(TensorType t) {
        return align(t.maxDataBytes()) + align(t.maxScaleBytes());
    }

    /** Where the scales of a value start, relative to its data. */
    static long scaleOffset(TensorType t) {
        return align(t.maxDataBytes());
    }

    static long align(long bytes) {
        return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
    }

    /** Offset of an input, a result or a view of one. */
    long offset(Value v) {
        if (offsets[v.root()] == ABSENT) {
            throw new AssertionError(v + " has no place in the plan");
        }
        return offsets[v.root()];
    }

    /** Whether a value is still there after a run, as outputs are. */
    boolean isKept(Value v) {
        return kept.get(v.root());
    }

    long valueBytes() {
        return valueBytes;
    }

    long workspaceBytes() {
        return workspaceBytes;
    }
}
