package dev.weft.runtime;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.GraphException;
import dev.weft.TensorType;
import dev.weft.graph.Value;
import dev.weft.runtime.CompiledGraph.Step;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.Lifetime;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One way to run a compiled graph: value memory, a stream, and arguments prepared once. A run rewrites only extents that
 * changed. Used by one thread at a time; another thread's call meanwhile is refused, close waits for the run.
 */
public final class Execution implements AutoCloseable {
    /** An operand extent that follows a named dimension. */
    private record Follower(KernelArguments arguments, int operand, Dim dim) {}

    private final CompiledGraph compiled;
    private final DeviceWeights weights;
    private final StateStore states;
    private final Arena arena;
    private final DeviceBuffer memory;
    private final DeviceStream stream;
    private final List<KernelArguments> arguments = new ArrayList<>();
    private final Map<String, List<Follower>> followers = new LinkedHashMap<>();
    private final Map<String, Long> bound = new LinkedHashMap<>();
    private final Map<String, MemorySegment> staging = new LinkedHashMap<>();
    private final Map<String, Long> filled = new LinkedHashMap<>();
    private final AtomicBoolean busy = new AtomicBoolean();
    private final Lifetime lifetime;
    private boolean ran;

    private Execution(
            CompiledGraph compiled,
            DeviceWeights weights,
            StateStore states,
            DeviceBuffer memory,
            DeviceStream stream,
            Arena arena) {
        this.compiled = compiled;
        this.weights = weights;
        this.states = states;
        this.memory = memory;
        this.stream = stream;
        this.arena = arena;
        compiled.graph().dims().keySet().forEach(d -> followers.put(d, new ArrayList<>()));
        for (Step step : compiled.steps()) {
            arguments.add(bind(step));
        }
        for (Value v : compiled.graph().values(Value.Kind.INPUT)) {
            staging.put(v.name(), arena.allocate(Math.max(1, v.type().maxDataBytes()), 64));
        }
        this.lifetime = new Lifetime("execution of " + compiled.graph().name(), this::release);
        compiled.device().own(this);
    }

    @SuppressWarnings("MustBeClosedChecker") // the execution owns the arena and closes it in release
    static Execution create(CompiledGraph compiled, DeviceWeights weights, StateStore states) {
        String subject = "execution of " + compiled.graph().name();
        compiled.device().require(weights.device(), subject + ": weights");
        compiled.device().require(states.device(), subject + ": states");
        BackendDevice spi = compiled.device().spi();
        MemoryPlan plan = compiled.plan();
        List<AutoCloseable> opened = new ArrayList<>();
        try {
            long bytes = Math.max(plan.valueBytes() + plan.workspaceBytes(), 1);
            DeviceBuffer memory = spi.allocate(bytes, MemoryPlan.ALIGNMENT);
            opened.addFirst(memory);
            DeviceStream stream = spi.createStream();
            opened.addFirst(stream);
            Arena arena = Arena.ofShared();
            opened.addFirst(arena::close);
            return new Execution(compiled, weights, states, memory, stream, arena);
        } catch (RuntimeException | Error e) {
            closeAfter(e, opened);
            throw e;
        }
    }

    private static void closeAfter(Throwable failure, List<AutoCloseable> things) {
        try {
            Closing.all(things);
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    private KernelArguments bind(Step step) {
        KernelArguments args = new KernelArguments(step.instance().all(), arena);
        List<Value> operands = new ArrayList<>(step.node().inputs());
        operands.addAll(step.node().outputs());
        for (int i = 0; i < operands.size(); i++) {
            Value v = operands.get(i);
            if (CompiledGraph.isWeight(v)) {
                DeviceWeights.Place p =
                        weights.find(v, CompiledGraph.packing(compiled.device().spi(), step, i));
                args.bind(i, p.address(), p.scaleAddress());
            } else if (v.isState()) {
                args.bind(i, states.address(compiled.graph().values().get(v.root())), 0);
            } else {
                long address = address(v);
                args.bind(i, address, v.type().scaling().isNone() ? 0 : address + MemoryPlan.scaleOffset(v.type()));
            }
            if (v.type().shape().rank() > 0 && !v.type().shape().dim(0).isFixed()) {
                Dim d = v.type().shape().dim(0);
                followers.get(d.name()).add(new Follower(args, i, d));
            }
        }
        args.workspace(memory.address() + compiled.plan().valueBytes());
        return args;
    }

    private long address(Value v) {
        return memory.address() + compiled.plan().offset(v);
    }

    /** Binds a named dimension for the following runs. @throws GraphException if it is unknown or out of bounds */
    public Execution bind(String dim, long extent) {
        Dim d = compiled.graph().dims().get(dim);
        if (d == null) {
            throw new GraphException(
                    "dimension '" + dim + "': graph " + compiled.graph().name() + " has only "
                            + compiled.graph().dims().keySet());
        }
        if (extent < d.min() || extent > d.max()) {
            throw new GraphException("dimension '" + dim + "': found " + extent + ", expected " + d.min() + " to "
                    + d.max() + "; compile the graph with other bounds");
        }
        begin();
        try {
            Long old = bound.put(dim, extent);
            if (old == null || old != extent) {
                ran = false; // outputs of the last run have the extents of that run
                for (Follower f : followers.get(dim)) {
                    f.arguments().extent(f.operand(), 0, f.dim().at(extent));
                }
            }
        } finally {
            end();
        }
        return this;
    }

    /** Fills an I32 input. */
    public Execution set(String input, int... data) {
        return fill(input, DType.I32, MemorySegment.ofArray(data));
    }

    /** Fills an F32 input. */
    public Execution set(String input, float... data) {
        return fill(input, DType.F32, MemorySegment.ofArray(data));
    }

    /** Fills an input with bytes in its own format. */
    public Execution set(String input, MemorySegment data) {
        return fill(input, input(input).type().dtype(), data);
    }

    private Execution fill(String name, DType dtype, MemorySegment data) {
        Value v = input(name);
        MemorySegment to = staging.get(name);
        long bytes = data.byteSize();
        if (v.type().dtype() != dtype || bytes > v.type().maxDataBytes()) {
            throw new GraphException(
                    "input '" + name + "': found " + bytes + " bytes of " + dtype + ", expected " + v.type());
        }
        begin();
        try {
            MemorySegment.copy(data, 0, to, 0, bytes);
            filled.put(name, bytes);
        } finally {
            end();
        }
        return this;
    }

    private Value input(String name) {
        return compiled.graph().values(Value.Kind.INPUT).stream()
                .filter(v -> v.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new GraphException(
                        "input '" + name + "': graph " + compiled.graph().name() + " has only " + staging.keySet()));
    }

    /** Runs all nodes once and waits. @throws GraphException if an input or dimension is unbound or their sizes differ */
    public void run() {
        exclusive(() -> {
            compiled.graph().dims().keySet().forEach(this::extent);
            ran = false; // a run that fails leaves outputs half written
            try {
                for (Value v : compiled.graph().values(Value.Kind.INPUT)) {
                    feed(v);
                }
                for (int i = 0; i < compiled.steps().size(); i++) {
                    step(compiled.steps().get(i), arguments.get(i));
                }
                stream.synchronize();
            } catch (RuntimeException | Error e) {
                drain(e);
                throw e;
            }
            ran = true;
        });
    }

    /**
     * Runs all nodes once, waiting after each, so that what a graph's time goes to can be told. Waiting costs some
     * microseconds per node, which {@link #run} does not need.
     *
     * @param nanos receives the time of every node, in the order of {@link dev.weft.graph.Graph#nodes}
     */
    public void profile(long[] nanos) {
        if (nanos.length != compiled.steps().size()) {
            throw new GraphException("profile of " + compiled.graph().name() + ": found room for " + nanos.length
                    + " times, expected " + compiled.steps().size());
        }
        exclusive(() -> {
            compiled.graph().dims().keySet().forEach(this::extent);
            ran = false;
            compiled.graph().values(Value.Kind.INPUT).forEach(this::feed);
            stream.synchronize();
            for (int i = 0; i < nanos.length; i++) {
                long start = System.nanoTime();
                step(compiled.steps().get(i), arguments.get(i));
                stream.synchronize();
                nanos[i] = System.nanoTime() - start;
            }
            ran = true;
        });
    }

    /** What was enqueued before a failure still uses weights and states, which may be closed after this run. */
    private void drain(Throwable failure) {
        try {
            stream.synchronize();
        } catch (RuntimeException e) {
            if (e != failure) {
                failure.addSuppressed(e);
            }
        }
    }

    private void feed(Value v) {
        TensorType type = v.type().bind(this::extent);
        if (!type.scaling().isNone()) {
            throw new GraphException("input '" + v.name() + "' " + type
                    + ": block scales cannot be fed; feed unscaled values and quantize them in the graph");
        }
        long bytes = type.maxDataBytes();
        Long have = filled.get(v.name());
        if (have == null || have != bytes) {
            throw new GraphException("input '" + v.name() + "': found " + (have == null ? "nothing" : have + " bytes")
                    + ", expected " + bytes + " bytes for " + type);
        }
        if (bytes > 0) {
            stream.copyIn(staging.get(v.name()).asSlice(0, bytes), address(v));
        }
    }

    private void step(Step step, KernelArguments args) {
        if (compiled.options().poisonWorkspace()) {
            Poison.fill(compiled, step, stream, args, memory);
        }
        if (step.kernel() == null) {
            HostFallback.run(compiled.device().spi(), stream, step, args);
        } else {
            step.kernel().enqueue(stream, args);
        }
    }

    /** An output of the last run, widened to F32 with scales applied. */
    public float[] floats(String output) {
        TensorType t = outputType(output);
        float[] out = new float[Math.toIntExact(t.maxElements())];
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment s = scratch.allocate(Math.max(1, t.maxDataBytes()), 8);
            read(output, s);
            MemorySegment scales = scratch.allocate(Math.max(1, t.maxScaleBytes()), 8);
            copyOut(output, true, scales);
            HostCodec.decode(t, s, scales, out);
        }
        return out;
    }

    /** An I32 output of the last run. */
    public int[] ints(String output) {
        TensorType t = outputType(output);
        if (t.dtype() != DType.I32) {
            throw new GraphException("output '" + output + "': found " + t + ", expected I32");
        }
        int[] out = new int[Math.toIntExact(t.maxElements())];
        read(output, MemorySegment.ofArray(out));
        return out;
    }

    /** Type of an output with dimensions as bound. */
    public TensorType outputType(String output) {
        Value v = compiled.graph().outputs().get(output);
        if (v == null) {
            throw new GraphException(
                    "output '" + output + "': graph " + compiled.graph().name() + " has only "
                            + compiled.graph().outputs().keySet());
        }
        return v.type().bind(this::extent);
    }

    private long extent(String dim) {
        Long extent = bound.get(dim);
        if (extent == null) {
            throw new GraphException("dimension '" + dim + "' is not bound: call bind(\"" + dim + "\", extent) first");
        }
        return extent;
    }

    /** Copies an output of the last run to the host, in its own format, without its scales. */
    public void read(String output, MemorySegment target) {
        copyOut(output, false, target);
    }

    private void copyOut(String output, boolean scales, MemorySegment target) {
        exclusive(() -> {
            if (!ran) {
                throw new GraphException("output '" + output + "': nothing has run yet");
            }
            TensorType type = outputType(output);
            Value v = compiled.graph().outputs().get(output);
            long bytes = scales ? type.maxScaleBytes() : type.maxDataBytes();
            long offset = scales ? MemoryPlan.scaleOffset(v.type()) : 0;
            if (target.byteSize() < bytes) {
                throw new GraphException("output '" + output + "' " + type + ": found a target of " + target.byteSize()
                        + " bytes, expected " + bytes);
            }
            if (bytes > 0) {
                long from =
                        v.isState() ? states.address(compiled.graph().values().get(v.root())) : address(v);
                compiled.device().spi().copyOut(from + offset, target.asSlice(0, bytes));
            }
        });
    }

    private void exclusive(Runnable body) {
        begin();
        try {
            weights.lifetime().enter();
            try {
                states.lifetime().enter();
                try {
                    body.run();
                } finally {
                    states.lifetime().exit();
                }
            } finally {
                weights.lifetime().exit();
            }
        } finally {
            end();
        }
    }

    private void begin() {
        lifetime.enter();
        if (!busy.compareAndSet(false, true)) {
            lifetime.exit();
            throw new GraphException("execution of " + compiled.graph().name()
                    + ": in use by another thread; create one execution per thread");
        }
    }

    private void end() {
        busy.set(false);
        lifetime.exit();
    }

    private void release() {
        Closing.all(List.of(stream, memory, arena::close));
    }

    @Override
    public void close() {
        lifetime.close();
        compiled.device().disown(this);
    }
}
