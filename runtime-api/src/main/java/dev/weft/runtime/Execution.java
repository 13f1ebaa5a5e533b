package dev.weft.runtime;

import dev.weft.CommunicatorException;
import dev.weft.DType;
import dev.weft.GraphException;
import dev.weft.RequestException;
import dev.weft.TensorType;
import dev.weft.graph.Value;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Closing;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceClock;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.HostCopy;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.Lifetime;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * One way to run a compiled graph: value memory, a stream, and arguments prepared and captured once. A run rewrites only
 * extents that changed, and one like the run before allocates nothing. Used by one thread at a time; another thread's
 * call meanwhile is refused, close waits for the run.
 */
public final class Execution implements AutoCloseable {
    /** What a transport may still reach after a failure. */
    private static final Queue<Launches> LEFT = new ConcurrentLinkedQueue<>();

    private final CompiledGraph compiled;
    private final String subject;
    private final DeviceWeights weights;
    private final StateStore states;
    private final Arena arena;
    private final DeviceBuffer memory;
    private final DeviceStream stream;
    private final Extents extents;
    private final Launches launches;
    private final List<InputSlot> inputs = new ArrayList<>();
    private final Map<String, InputSlot> inputsByName = new LinkedHashMap<>();
    private final List<HostCopy> feeds = new ArrayList<>();
    private final Map<String, Output> outputs = new LinkedHashMap<>();
    private final AtomicBoolean busy = new AtomicBoolean();
    private final Lifetime lifetime;
    private @Nullable Target lastTarget;
    private boolean ran;

    /**
     * Where an output is.
     *
     * @param isLate whether its extents are known only while a run goes on
     * @param address of its elements; its scales are behind them
     */
    private record Output(String name, Value value, BoundType bound, boolean isLate, long address) {}

    /** An array that outputs were copied to, with its segment. */
    private record Target(float[] array, MemorySegment segment) {}

    private Execution(
            CompiledGraph compiled,
            DeviceWeights weights,
            StateStore states,
            DeviceBuffer memory,
            DeviceStream stream,
            Arena arena) {
        this.compiled = compiled;
        this.subject = "execution of " + compiled.graph().name();
        this.weights = weights;
        this.states = states;
        this.memory = memory;
        this.stream = stream;
        this.arena = arena;
        this.extents = new Extents(compiled.graph());
        List<KernelArguments> arguments = new ArrayList<>();
        for (Step step : compiled.steps()) {
            arguments.add(arguments(step));
        }
        for (Value v : compiled.graph().values(Value.Kind.INPUT)) {
            InputSlot slot =
                    new InputSlot(v, extents, address(v), compiled.plan().isKept(v), arena);
            inputs.add(slot);
            inputsByName.put(v.name(), slot);
        }
        compiled.graph()
                .outputs()
                .forEach((name, v) -> outputs.put(
                        name,
                        new Output(name, v, new BoundType(v.type(), extents), extents.areLate(v.type()), address(v))));
        this.launches = new Launches(compiled, arguments, memory, extents);
        this.lifetime = new Lifetime(subject, this::release);
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

    private KernelArguments arguments(Step step) {
        KernelArguments args = new KernelArguments(step.types(), arena);
        for (int i = 0; i < step.operands().size(); i++) {
            Step.Operand o = step.operands().get(i);
            Value v = o.value();
            if (CompiledGraph.isWeight(v)) {
                DeviceWeights.Place p =
                        weights.find(v, CompiledGraph.packing(compiled.device().spi(), step, o));
                args.bind(i, p.address(), p.scaleAddress());
            } else if (!o.isInner()) {
                long address = address(v);
                args.bind(i, address, v.type().scaling().isNone() ? 0 : address + MemoryPlan.scaleOffset(v.type()));
            }
        }
        extents.follow(step.types(), args);
        args.workspace(memory.address() + compiled.plan().valueBytes());
        return args;
    }

    private long address(Value v) {
        return v.isState()
                ? states.address(compiled.graph().values().get(v.root()))
                : memory.address() + compiled.plan().offset(v);
    }

    /** Binds a named dimension for the following runs. @throws GraphException if it is unknown or out of bounds */
    public Execution bind(String dim, long extent) {
        extents.check(dim, extent);
        begin();
        try {
            if (extents.bind(dim, extent)) {
                ran = false; // outputs of the last run have the extents of that run
                launches.extentsChanged();
            }
        } finally {
            end();
        }
        return this;
    }

    /** Fills an I32 input. */
    public Execution set(String input, int... data) {
        return set(input, data, data.length);
    }

    /** Fills an I32 input with the first {@code count} numbers of {@code data}. */
    public Execution set(String input, int[] data, int count) {
        InputSlot slot = input(input);
        begin();
        try {
            slot.fill(data, count);
        } finally {
            end();
        }
        return this;
    }

    /** Fills an F32 input. */
    public Execution set(String input, float... data) {
        return set(input, data, data.length);
    }

    /** Fills an F32 input with the first {@code count} numbers of {@code data}. */
    public Execution set(String input, float[] data, int count) {
        InputSlot slot = input(input);
        begin();
        try {
            slot.fill(data, count);
        } finally {
            end();
        }
        return this;
    }

    /** Fills an input with bytes in its own format. */
    public Execution set(String input, MemorySegment data) {
        InputSlot slot = input(input);
        begin();
        try {
            slot.fill(data);
        } finally {
            end();
        }
        return this;
    }

    private InputSlot input(String name) {
        InputSlot slot = inputsByName.get(name);
        if (slot == null) {
            throw new GraphException(
                    "input '" + name + "': graph " + compiled.graph().name() + " has only " + inputsByName.keySet());
        }
        return slot;
    }

    /**
     * Runs all nodes once and waits.
     *
     * @throws GraphException if an input or dimension is unbound, their sizes differ, or another execution runs on the
     *     same states
     */
    public void run() {
        runAndCopy(null, MemorySegment.NULL);
    }

    /**
     * Runs all nodes once and copies an output to the host, as {@link #run} and {@link #floats(String, float[])} do one after
     * the other, but waits only once.
     *
     * @param output widened to F32 with scales applied
     * @param target receives it in its beginning
     * @throws GraphException if {@code target} is too short, before anything has run unless a node binds the output's extents,
     *     and as {@link #run}
     */
    public void run(String output, float[] target) {
        Output wanted = output(output);
        if (wanted.value().type().dtype() == DType.F32) {
            runAndCopy(wanted, segment(target));
            return;
        }
        if (!wanted.isLate()) {
            begin();
            try {
                requireFloats(wanted, target);
            } finally {
                end();
            }
        }
        run();
        floats(output, target);
    }

    /**
     * Runs all nodes once and copies an output to the host, as {@link #run} and {@link #read} do one after the other, but waits
     * only once.
     *
     * @param output in its own format, without its scales
     * @param target receives it in its beginning
     * @throws GraphException if {@code target} is too small, before anything has run unless a node binds the output's extents,
     *     and as {@link #run}
     */
    public void run(String output, MemorySegment target) {
        runAndCopy(output(output), target);
    }

    private void runAndCopy(@Nullable Output wanted, MemorySegment target) {
        acquire();
        try {
            states.claim(subject);
            try {
                extents.requireAll();
                if (wanted != null && !wanted.isLate()) {
                    requireBytes(wanted, false, target);
                }
                ran = false; // a run that fails leaves outputs half written
                enqueue(wanted, target);
                ran = true;
                if (wanted != null && wanted.isLate()) {
                    requireBytes(wanted, false, target);
                }
            } finally {
                states.unclaim();
            }
        } finally {
            relinquish();
        }
    }

    private void enqueue(@Nullable Output wanted, MemorySegment target) {
        if (!RunEvent.NONE.isEnabled()) {
            work(wanted, target);
            return;
        }
        RunEvent event = new RunEvent();
        event.begin();
        work(wanted, target);
        if (event.shouldCommit()) {
            event.graph = compiled.graph().name();
            event.device = compiled.device().label();
            event.extents = extents.toString();
            event.commit();
        }
    }

    private void work(@Nullable Output wanted, MemorySegment target) {
        try {
            feedAll();
            if (KernelEvent.NONE.isEnabled()) {
                launches.record(stream);
            } else {
                launches.enqueue(stream);
            }
            if (wanted != null) {
                append(wanted, target);
            }
            stream.synchronize();
        } catch (RuntimeException | Error e) {
            drain(e);
            throw e;
        }
    }

    /** Copies an output whose extents the run has bound by now; not to a target that is too small, to be refused after the run. */
    private void append(Output wanted, MemorySegment target) {
        long bytes = wanted.bound().dataBytes();
        if (bytes > 0 && bytes <= target.byteSize()) {
            stream.copyOut(wanted.address(), beginning(target, bytes));
        }
    }

    private void feedAll() {
        feeds.clear();
        for (int i = 0; i < inputs.size(); i++) {
            inputs.get(i).feed(feeds);
        }
        stream.copyIn(feeds);
    }

    /**
     * Runs all nodes once and waits.
     *
     * @return nanoseconds, 1 or more: by the device's own clock if it has one ({@link Device#hasClock}), from the first node
     *     to the last; else by the host's, copies of the inputs included
     * @throws GraphException as {@link #run}
     */
    public long time() {
        if (!(compiled.device().spi() instanceof DeviceClock clock)) {
            long start = System.nanoTime();
            run();
            return Math.max(1, System.nanoTime() - start);
        }
        long[] nanos = new long[1];
        measure(() -> nanos[0] = clock.time(stream, () -> launches.enqueue(stream)));
        return nanos[0];
    }

    /** {@link #profile(long[], long[])} without the times of waiting. */
    public void profile(long[] nanos) {
        profile(nanos, new long[nanos.length]);
    }

    /**
     * Runs all nodes once, waiting after each, so that what a graph's time goes to can be told. By the host's clock, waiting
     * costs some microseconds per node, which {@link #run} does not need; kernels of a device that has a clock are timed by
     * that. A collective's time begins when all ranks have come to it,
     * so all ranks of a group profile the same run.
     *
     * @param nanos receives the time of every node, in the order of {@link dev.weft.graph.Graph#nodes}; that of a kernel
     *     which computes several goes to the last, the others get 0
     * @param waits receives how long this rank waited for the others before every node, 0 before what is no collective
     */
    public void profile(long[] nanos, long[] waits) {
        int nodes = compiled.graph().nodes().size();
        for (long[] room : new long[][] {nanos, waits}) {
            if (room.length != nodes) {
                throw new GraphException("profile of " + compiled.graph().name() + ": found room for " + room.length
                        + " times, expected " + nodes);
            }
        }
        measure(() -> launches.profile(stream, nanos, waits));
    }

    /** Runs all nodes in a way that takes times; inputs are there before it begins. */
    private void measure(Runnable body) {
        acquire();
        try {
            states.claim(subject);
            try {
                extents.requireAll();
                ran = false;
                feedAll();
                stream.synchronize();
                body.run();
                ran = true;
            } catch (RuntimeException | Error e) {
                drain(e);
                throw e;
            } finally {
                states.unclaim();
            }
        } finally {
            relinquish();
        }
    }

    /**
     * What was enqueued before a failure still uses weights and states, which may be closed after this run. Other ranks
     * would wait for this one: their group ends, unless they have all refused the same or it has ended.
     */
    private void drain(Throwable failure) {
        inputs.forEach(InputSlot::forget);
        Communicator group = compiled.options().group();
        if (group != null && !(failure instanceof RequestException || failure instanceof CommunicatorException)) {
            group.abort(subject + " on rank " + group.rank() + ": " + failure);
        }
        try {
            stream.synchronize();
        } catch (RuntimeException e) {
            if (e != failure) {
                failure.addSuppressed(e);
            }
        }
    }

    /** Which kernel computes which node. */
    public Placement placement() {
        return compiled.placement();
    }

    /** An output of the last run, widened to F32 with scales applied. */
    public float[] floats(String output) {
        float[] out = new float[Math.toIntExact(outputType(output).maxElements())];
        floats(output, out);
        return out;
    }

    /**
     * An output of the last run, widened to F32 with scales applied, into the beginning of {@code target}.
     *
     * @throws GraphException if {@code target} is too short
     */
    public void floats(String output, float[] target) {
        TensorType t = outputType(output);
        if (t.dtype() == DType.F32) {
            read(output, segment(target));
            return;
        }
        requireFloats(output(output), target);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment s = scratch.allocate(Math.max(1, t.maxDataBytes()), 8);
            read(output, s);
            MemorySegment scales = scratch.allocate(Math.max(1, t.maxScaleBytes()), 8);
            copyOut(output, true, scales);
            HostCodec.decode(t, s, scales, target);
        }
    }

    /** The segment of an array; callers that decode pass the same array again and again. */
    private MemorySegment segment(float[] array) {
        Target last = lastTarget;
        if (last == null || last.array() != array) {
            last = new Target(array, MemorySegment.ofArray(array));
            lastTarget = last;
        }
        return last.segment();
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
        return output(output).bound().type();
    }

    /** Bytes of the elements of an output with dimensions as bound. */
    public long outputBytes(String output) {
        return output(output).bound().dataBytes();
    }

    private Output output(String name) {
        Output output = outputs.get(name);
        if (output == null) {
            throw new GraphException(
                    "output '" + name + "': graph " + compiled.graph().name() + " has only " + outputs.keySet());
        }
        return output;
    }

    /** Copies an output of the last run to the host, in its own format, without its scales. */
    public void read(String output, MemorySegment target) {
        copyOut(output, false, target);
    }

    private void copyOut(String name, boolean scales, MemorySegment target) {
        Output output = output(name);
        acquire();
        try {
            if (!ran) {
                throw new GraphException("output '" + name + "': nothing has run yet");
            }
            long bytes = requireBytes(output, scales, target);
            long offset = scales ? MemoryPlan.scaleOffset(output.value().type()) : 0;
            if (bytes > 0) {
                compiled.device().spi().copyOut(output.address() + offset, beginning(target, bytes));
            }
        } finally {
            relinquish();
        }
    }

    private static MemorySegment beginning(MemorySegment target, long bytes) {
        return target.byteSize() == bytes ? target : target.asSlice(0, bytes);
    }

    /** How much of {@code target} an output fills. @throws GraphException if it is too small */
    private static long requireBytes(Output output, boolean scales, MemorySegment target) {
        BoundType bound = output.bound();
        long bytes = scales ? bound.scaleBytes() : bound.dataBytes();
        if (target.byteSize() < bytes) {
            throw tooSmall(output.name(), bound.type(), target.byteSize(), bytes);
        }
        return bytes;
    }

    private static void requireFloats(Output output, float[] target) {
        TensorType t = output.bound().type();
        if (target.length < t.maxElements()) {
            throw tooSmall(output.name(), t, 4L * target.length, 4 * t.maxElements());
        }
    }

    private static GraphException tooSmall(String output, TensorType type, long found, long expected) {
        return new GraphException(
                "output '" + output + "' " + type + ": found a target of " + found + " bytes, expected " + expected);
    }

    /** Keeps the execution, its weights and its states open, and other threads out. */
    private void acquire() {
        begin();
        boolean entered = false;
        try {
            weights.lifetime().enter();
            entered = true;
            states.lifetime().enter();
        } catch (RuntimeException e) {
            if (entered) {
                weights.lifetime().exit();
            }
            end();
            throw e;
        }
    }

    private void relinquish() {
        states.lifetime().exit();
        weights.lifetime().exit();
        end();
    }

    private void begin() {
        lifetime.enter();
        if (!busy.compareAndSet(false, true)) {
            lifetime.exit();
            throw new GraphException(subject + ": in use by another thread; create one execution per thread");
        }
    }

    private void end() {
        busy.set(false);
        lifetime.exit();
    }

    private void release() {
        RankGroups groups = compiled.options().groups();
        AutoCloseable values = memory;
        if (groups != null && groups.isUnderWay()) {
            values = memory::abandon;
            LEFT.add(launches); // with what messages are packed in
        }
        // stream first: closing it ends what uses the others
        Closing.all(List.of(stream, launches, values, arena::close));
    }

    @Override
    public void close() {
        lifetime.close();
        compiled.device().disown(this);
    }
}
