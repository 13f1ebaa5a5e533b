package dev.weft.plan;

import dev.weft.CheckpointException;
import dev.weft.DType;
import dev.weft.plan.ParameterGroup.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Adds tensors up to groups; exact, and refuses what 63 bits do not hold. */
final class ParameterTally {
    private record Key(Kind kind, boolean mtp, DType stored, boolean multiplied) {}

    private record Sum(long parameters, long bytes) {}

    private final String subject;
    private final Map<Key, Sum> sums = new LinkedHashMap<>();
    private long parameters;
    private long bytes;

    ParameterTally(String subject) {
        this.subject = subject;
    }

    /** Adds {@code copies} tensors of the same size. */
    void add(Kind kind, boolean mtp, DType stored, boolean multiplied, long copies, long ofEach, long bytesOfEach) {
        try {
            Sum more = new Sum(Math.multiplyExact(copies, ofEach), Math.multiplyExact(copies, bytesOfEach));
            parameters = Math.addExact(parameters, more.parameters);
            bytes = Math.addExact(bytes, more.bytes);
            sums.merge(
                    new Key(kind, mtp, stored, multiplied),
                    more,
                    (a, b) -> new Sum(a.parameters + b.parameters, a.bytes + b.bytes));
        } catch (ArithmeticException e) {
            throw new CheckpointException(
                    subject + ": found parameters beyond 2^63 bytes, expected the sizes of a model", e);
        }
    }

    List<ParameterGroup> groups() {
        List<ParameterGroup> groups = new ArrayList<>();
        sums.forEach(
                (k, s) -> groups.add(new ParameterGroup(k.kind, k.mtp, k.stored, k.multiplied, s.parameters, s.bytes)));
        groups.sort(Comparator.comparing(ParameterGroup::mtp).thenComparing(ParameterGroup::kind));
        return groups;
    }
}
