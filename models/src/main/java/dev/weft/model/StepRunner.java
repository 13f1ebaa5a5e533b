package dev.weft.model;

import dev.weft.graph.Value;
import dev.weft.parallel.ParallelPlan;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.Closing;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * A compiled V4 graph with its states and one execution: turns rows of sequences into the graph's inputs. Which states are
 * rings (first axis: slot) and which are paged caches (first axis: page) is read from the graph.
 *
 * <p>A step is {@link #begin}, {@link #add} for every sequence, {@link #run}. Its numbers are written to arrays of the
 * largest size, so that a step like the one before allocates nothing.
 */
final class StepRunner implements AutoCloseable {
    private final CompiledGraph compiled;
    private final StateStore states;
    private final boolean ownsStates;
    private final boolean takesStreams;
    private final boolean draws;
    private final int vocabulary;
    private final Draws none = new Draws();
    private final Execution execution;
    private final int pagesPerSequence;
    private final StatePlan plan;

    private final int[] ids;
    private final int[] positions;
    private final int[] logitRows;
    private final int[] starts;
    private final int[] slots;
    private final int[] pages;
    private int tokens;
    private int sequences;
    private int wanted;

    StepRunner(CompiledGraph compiled, DeviceWeights weights, LoadOptions options) {
        this(compiled, weights, options, compiled.newStates(), true);
    }

    /** A runner on the states of another, whose graph has the same. */
    static StepRunner on(StepRunner other, CompiledGraph compiled, DeviceWeights weights, LoadOptions options) {
        return new StepRunner(compiled, weights, options, other.states, false);
    }

    private StepRunner(
            CompiledGraph compiled, DeviceWeights weights, LoadOptions options, StateStore states, boolean ownsStates) {
        this.compiled = compiled;
        this.pagesPerSequence = options.pagesPerSequence();
        this.states = states;
        this.ownsStates = ownsStates;
        this.takesStreams = hasInput(compiled, V4Graphs.HIDDEN);
        this.draws = hasInput(compiled, V4Graphs.UNIFORM);
        this.vocabulary = (int) compiled.graph()
                .outputs()
                .get(V4Graphs.LOGITS)
                .type()
                .shape()
                .dim(-1)
                .maximum();
        this.execution = compiled.newExecution(weights, states);
        this.ids = new int[options.maxTokens()];
        this.positions = new int[options.maxTokens()];
        this.logitRows = new int[options.maxTokens()];
        this.starts = new int[options.maxSequences() + 1];
        this.slots = new int[options.maxSequences()];
        this.pages = new int[options.maxSequences() * pagesPerSequence];
        this.plan = StatePlan.of(compiled.graph());
    }

    private static boolean hasInput(CompiledGraph compiled, String name) {
        return compiled.graph().values(Value.Kind.INPUT).stream()
                .anyMatch(v -> v.name().equals(name));
    }

    /** Starts an empty step. */
    void begin() {
        tokens = 0;
        sequences = 0;
        wanted = 0;
    }

    /**
     * Adds rows of one sequence; all of them together within the bounds of the load options.
     *
     * @param session whose slot and pages are used
     * @param position position of the first row
     * @param rows token of every row, the first {@code count} of it
     * @param logits how many of the last rows' logits are wanted
     */
    void add(Session session, int position, int[] rows, int count, int logits) {
        for (int p = 0; p < pagesPerSequence; p++) {
            pages[sequences * pagesPerSequence + p] = p < session.pageCount() ? session.page(p) : 0;
        }
        add(session.slot(), position, rows, 0, count, logits);
    }

    /**
     * Adds rows of one sequence that no session stands for.
     *
     * @param slot its ring slot
     * @param page its first {@code pageCount} pages
     * @param first of the array's tokens
     */
    void add(
            int slot,
            int pageCount,
            IntUnaryOperator page,
            int position,
            int[] rows,
            int first,
            int count,
            int logits) {
        for (int p = 0; p < pagesPerSequence; p++) {
            pages[sequences * pagesPerSequence + p] = p < pageCount ? page.applyAsInt(p) : 0;
        }
        add(slot, position, rows, first, count, logits);
    }

    private void add(int slot, int position, int[] rows, int first, int count, int logits) {
        System.arraycopy(rows, first, ids, tokens, count);
        for (int i = 0; i < count; i++) {
            positions[tokens + i] = position + i;
        }
        for (int i = count - logits; i < count; i++) {
            logitRows[wanted++] = tokens + i;
        }
        slots[sequences] = slot;
        tokens += count;
        starts[++sequences] = tokens;
    }

    /** Whether the device draws. */
    boolean draws() {
        return draws;
    }

    /** Tokens that a step may have at most. */
    int mostTokens() {
        return (int) compiled.graph().dims().get(V4Inputs.TOKENS).max();
    }

    /** Says how many tokens any rank has at most in the step that follows, to a graph in the fixed layout of dispatch. */
    void bindMost(int tokens) {
        execution.bind(ParallelPlan.most(V4Inputs.TOKENS), tokens);
    }

    /** Runs a step of whose rows nothing is drawn. @param hidden streams of all rows for an MTP graph, else {@link MemorySegment#NULL} */
    void run(MemorySegment hidden) {
        set(hidden, none);
        execution.run();
    }

    /** As {@link #run(MemorySegment)}. @param asked a row for each of the wanted rows */
    void run(MemorySegment hidden, Draws asked) {
        set(hidden, asked);
        if (wanted == 0) {
            execution.run();
        } else if (draws && asked.hasDrawn()) {
            execution.run(V4Graphs.DRAWN, asked.tokens());
            if (asked.hasSkipped()) {
                execution.floats(V4Graphs.LOGITS, asked.roomForLogits(vocabulary));
            }
            asked.done();
        } else {
            execution.run(V4Graphs.LOGITS, asked.roomForLogits(vocabulary));
            asked.drawOnHost(vocabulary);
        }
    }

    private void set(MemorySegment hidden, Draws asked) {
        execution
                .bind(V4Inputs.TOKENS, tokens)
                .bind(V4Inputs.SEQUENCES, sequences)
                .bind(V4Inputs.LOGITS, wanted);
        execution
                .set("ids", ids, tokens)
                .set("positions", positions, tokens)
                .set("starts", starts, sequences + 1)
                .set("slots", slots, sequences)
                .set("pages", pages, sequences * pagesPerSequence)
                .set("logitRows", logitRows, wanted);
        if (draws) {
            execution
                    .set(V4Graphs.TEMPERATURE, asked.temperatures(), wanted)
                    .set(V4Graphs.TOP_P, asked.topPs(), wanted)
                    .set(V4Graphs.UNIFORM, asked.uniforms(), wanted);
        }
        if (takesStreams) {
            execution.set(V4Graphs.HIDDEN, hidden);
        }
    }

    /** Logits of the wanted rows of the last step, one array each. */
    float[][] logits() {
        float[] flat = execution.floats(V4Graphs.LOGITS);
        float[][] rows = new float[wanted][];
        for (int i = 0; i < rows.length; i++) {
            int vocabulary = flat.length / rows.length;
            rows[i] = Arrays.copyOfRange(flat, i * vocabulary, (i + 1) * vocabulary);
        }
        return rows;
    }

    /** Bytes of the residual streams of all rows of the last step. */
    long hiddenBytes() {
        return execution.outputBytes(V4Graphs.HIDDEN);
    }

    Execution execution() {
        return execution;
    }

    CompiledGraph compiled() {
        return compiled;
    }

    /** Copies the rings of one slot to another. */
    void copySlot(int from, int to) {
        plan.rings().forEach(r -> states.copyRow(r.name(), from, to));
    }

    /** Copies one page of every cache to another. */
    void copyPage(int from, int to) {
        plan.caches().forEach(c -> states.copyRow(c.name(), from, to));
    }

    /** Copies the rings of a slot to the host, one after another. */
    void readRings(int slot, MemorySegment target) {
        long at = 0;
        for (StatePlan.Row r : plan.rings()) {
            states.read(r.name(), slot, target.asSlice(at, r.bytes()));
            at += r.bytes();
        }
    }

    /** Overwrites the rings of a slot. */
    void writeRings(int slot, MemorySegment source) {
        long at = 0;
        for (StatePlan.Row r : plan.rings()) {
            states.write(r.name(), slot, source.asSlice(at, r.bytes()));
            at += r.bytes();
        }
    }

    /** The states, for those who move them row by row. */
    StateStore states() {
        return states;
    }

    /** What one slot and one page hold. */
    StatePlan plan() {
        return plan;
    }

    long stateBytes() {
        return states.bytes();
    }

    /** Bytes of activations and scratch memory. */
    long executionBytes() {
        return compiled.placement().valueBytes() + compiled.placement().workspaceBytes();
    }

    @Override
    public void close() {
        Closing.all(ownsStates ? List.of(execution, states) : List.of(execution));
    }
}
