package dev.weft.runtime;

import static java.util.Objects.requireNonNull;

import dev.weft.op.Collective;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Capturing;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceClock;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The nodes of a compiled graph in order: neighbours with kernels are captured where the device can, others are enqueued
 * one by one or run on the host. Not thread-safe.
 */
final class Launches implements AutoCloseable {
    /** Puts one or more nodes on the stream. */
    private sealed interface Launch {}

    /** @param dims named dimensions that its operands have */
    private record Captured(Capturing.Capture capture, Set<String> dims) implements Launch {}

    private record Single(Step step, KernelArguments arguments) implements Launch {}

    private final CompiledGraph compiled;
    private final DeviceBuffer memory;
    private final List<KernelArguments> arguments;
    private final List<Launch> launches = new ArrayList<>();
    private final Extents extents;
    /** One per group of ranks. */
    private final List<Collectives> collectives = new ArrayList<>();

    /**
     * @param arguments of every step, with final addresses
     * @param memory of all values, for poisoning
     * @param extents of the arguments, which collectives change
     */
    Launches(CompiledGraph compiled, List<KernelArguments> arguments, DeviceBuffer memory, Extents extents) {
        this.compiled = compiled;
        this.extents = extents;
        this.memory = memory;
        this.arguments = arguments;
        try {
            build();
        } catch (RuntimeException | Error e) {
            try {
                close();
            } catch (RuntimeException closing) {
                e.addSuppressed(closing);
            }
            throw e;
        }
    }

    private void build() {
        List<Step> steps = compiled.steps();
        steps.stream()
                .filter(Step::isCollective)
                .map(s ->
                        requireNonNull(compiled.options().groups()).of(ranks(s)).orElseThrow())
                .distinct()
                .forEach(group -> collectives.add(new Collectives(spi(), group, this::bindLate)));
        for (int i = 0; i < steps.size(); ) {
            int end = i;
            // poison goes between the nodes
            if (spi() instanceof Capturing && !compiled.options().poisonWorkspace()) {
                while (end < steps.size() && isRecordable(steps.get(end))) {
                    end++;
                }
            }
            if (end > i) {
                launches.add(capture(steps.subList(i, end), arguments.subList(i, end)));
                i = end;
            } else {
                launches.add(new Single(steps.get(i), arguments.get(i)));
                i++;
            }
        }
    }

    private BackendDevice spi() {
        return compiled.device().spi();
    }

    private static int ranks(Step collective) {
        return ((Collective) collective.node().op()).ranks();
    }

    private Collectives collectives(Step collective) {
        int ranks = ranks(collective);
        int i = 0; // without boxes: a step allocates nothing
        while (collectives.get(i).group().size() != ranks) {
            i++;
        }
        return collectives.get(i);
    }

    private boolean isRecordable(Step step) {
        return step.kernel() != null || step.isCollective() && collectives(step).isRecordable(step);
    }

    private Kernel kernel(Step step) {
        return step.kernel() == null ? collectives(step).kernel(step) : step.kernel();
    }

    private Captured capture(List<Step> steps, List<KernelArguments> arguments) {
        List<Capturing.Call> calls = new ArrayList<>();
        for (int i = 0; i < steps.size(); i++) {
            calls.add(new Capturing.Call(kernel(steps.get(i)), arguments.get(i)));
        }
        Set<String> dims = new HashSet<>();
        for (KernelArguments a : arguments) {
            for (int i = 0; i < a.count(); i++) {
                a.type(i).shape().dims().forEach(d -> dims.add(d.name()));
            }
        }
        return new Captured(((Capturing) spi()).capture(calls), dims);
    }

    /** Enqueues all nodes. */
    void enqueue(DeviceStream stream) {
        for (int i = 0; i < launches.size(); i++) {
            switch (launches.get(i)) {
                case Captured c -> c.capture().enqueue(stream);
                case Single s -> enqueue(stream, s.step(), s.arguments());
            }
        }
    }

    private void enqueue(DeviceStream stream, Step step, KernelArguments arguments) {
        if (compiled.options().poisonWorkspace()) {
            Poison.fill(compiled, step, stream, arguments, memory);
        }
        if (step.isCollective()) {
            collectives(step).run(stream, step, arguments);
        } else if (step.kernel() == null) {
            HostFallback.run(spi(), stream, step, arguments);
        } else {
            step.kernel().enqueue(stream, arguments);
        }
    }

    /** Runs the nodes one by one, waiting for each, and tells the flight recorder. */
    void record(DeviceStream stream) {
        for (int i = 0; i < arguments.size(); i++) {
            Step step = compiled.steps().get(i);
            KernelEvent event = new KernelEvent();
            event.begin();
            event.deviceTime = deviceTime(stream, step, arguments.get(i));
            event.graph = compiled.graph().name();
            event.device = compiled.device().label();
            event.node = step.label();
            event.kernel = compiled.placement().rows().get(step.last().index()).kernel();
            event.commit();
        }
    }

    /** Runs the nodes one by one, waiting for each, and stores their times; before a collective it waits for the group. */
    void profile(DeviceStream stream, long[] nanos, long[] waits) {
        Arrays.fill(nanos, 0);
        Arrays.fill(waits, 0);
        for (int i = 0; i < arguments.size(); i++) {
            Step step = compiled.steps().get(i);
            int node = step.last().index();
            long start = System.nanoTime();
            long met = start;
            if (step.isCollective()) {
                collectives(step).group().barrier(step.last().label());
                met = System.nanoTime();
            }
            long time = deviceTime(stream, step, arguments.get(i));
            nanos[node] = time == 0 ? System.nanoTime() - met : time;
            waits[node] = met - start;
        }
    }

    /** Runs a node and waits. Returns its nanoseconds by the device's clock; 0 if it has none, or others take part. */
    private long deviceTime(DeviceStream stream, Step step, KernelArguments arguments) {
        if (compiled.device().spi() instanceof DeviceClock clock && step.kernel() != null) {
            return clock.time(stream, () -> enqueue(stream, step, arguments));
        }
        enqueue(stream, step, arguments);
        stream.synchronize();
        return 0;
    }

    /** Says that extents in the arguments have changed. */
    void extentsChanged() {
        for (Launch launch : launches) {
            if (launch instanceof Captured c) {
                c.capture().extentsChanged();
            }
        }
    }

    /** Binds a dimension in the middle of a run; captures behind this point learn of it. */
    private void bindLate(String dim, long extent) {
        if (!dim.isEmpty() && extents.bind(dim, extent)) {
            for (Launch launch : launches) {
                if (launch instanceof Captured c && c.dims().contains(dim)) {
                    c.capture().extentsChanged();
                }
            }
        }
    }

    @Override
    public void close() {
        List<AutoCloseable> parts = new ArrayList<>();
        for (Launch launch : launches) {
            if (launch instanceof Captured c) {
                parts.add(c.capture());
            }
        }
        parts.addAll(collectives);
        Closing.all(parts);
    }
}
