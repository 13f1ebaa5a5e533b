package dev.weft.conformance.toy;

import dev.weft.op.Op;
import dev.weft.spi.NodeGroup;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** What a toy device is told to do wrong. Counters count down from the call that sets them. Thread-safe. */
public final class ToyFaults {
    /** Mistakes that a kernel of a named operator can be made to make. */
    public enum Mistake {
        /** The last element of the first result is wrong. */
        WRONG_ELEMENT,
        /** The first result depends on workspace bytes that the kernel did not write. */
        READS_UNWRITTEN,
        /** The byte behind the allocation that holds the first result is overwritten. */
        WRITES_PAST_END
    }

    private final AtomicLong allocationsLeft = new AtomicLong(Long.MAX_VALUE);
    private final AtomicLong launchesLeft = new AtomicLong(Long.MAX_VALUE);
    private final AtomicLong allocations = new AtomicLong();
    private final AtomicLong launches = new AtomicLong();
    private final Map<String, String> refused = new ConcurrentHashMap<>();
    private final Map<String, Mistake> mistakes = new ConcurrentHashMap<>();
    private volatile int maxDelayMicros = 30;
    private volatile List<List<Class<? extends Op>>> chains = List.of();
    private volatile @Nullable Class<? extends Op> family;

    /** Makes the {@code n}-th allocation from now fail, 1 for the next; the ones after it succeed. */
    public ToyFaults failAllocation(long n) {
        allocationsLeft.set(n);
        return this;
    }

    /** Makes the {@code n}-th kernel launch from now fail, 1 for the next. The device is lost then. */
    public ToyFaults failLaunch(long n) {
        launchesLeft.set(n);
        return this;
    }

    /** Refuses every instance of an operator. */
    public ToyFaults refuse(String op, String reason) {
        refused.put(op, reason);
        return this;
    }

    /** Plants a mistake in the kernels of an operator. */
    public ToyFaults plant(String op, Mistake mistake) {
        mistakes.put(op, mistake);
        return this;
    }

    /** Longest random delay before a piece of work runs, in microseconds; 0 for none. */
    public ToyFaults delays(int maxMicros) {
        maxDelayMicros = maxMicros;
        return this;
    }

    /** Lets the device compute chains of nodes together, and then groups that hold an operator side by side. */
    public ToyFaults fuse(List<List<Class<? extends Op>>> chains, @Nullable Class<? extends Op> family) {
        this.chains = chains;
        this.family = family;
        return this;
    }

    /** Allocations asked for so far. */
    public long allocations() {
        return allocations.get();
    }

    /** Kernels launched so far. */
    public long launches() {
        return launches.get();
    }

    List<List<Class<? extends Op>>> chains() {
        return chains;
    }

    Optional<String> family(NodeGroup group) {
        Class<? extends Op> op = family;
        boolean belongs = op != null
                && group.members().stream()
                        .anyMatch(m -> op.isInstance(m.instance().op()));
        return belongs ? Optional.of("family") : Optional.empty();
    }

    boolean allocationFails() {
        allocations.incrementAndGet();
        return allocationsLeft.getAndDecrement() == 1;
    }

    boolean launchFails() {
        launches.incrementAndGet();
        return launchesLeft.getAndDecrement() == 1;
    }

    Optional<String> refusal(String op) {
        return Optional.ofNullable(refused.get(op));
    }

    boolean makes(Mistake mistake, String op) {
        return mistakes.get(op) == mistake;
    }

    int maxDelayMicros() {
        return maxDelayMicros;
    }
}
