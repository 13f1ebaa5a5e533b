package dev.weft.model;

import dev.weft.graph.Value;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.Closing;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A compiled V4 graph with its states and one execution: turns rows of sequences into the graph's inputs. Which states are
 * rings (first axis: slot) and which are paged caches (first axis: page) is read from the graph.
 */
final class StepRunner implements AutoCloseable {
    private static final String CACHE_SUFFIX = ".cache";

    private final CompiledGraph compiled;
    private final StateStore states;
    private final Execution execution;
    private final int pagesPerSequence;
    private final List<String> rings = new ArrayList<>();
    private final List<String> caches = new ArrayList<>();

    StepRunner(CompiledGraph compiled, DeviceWeights weights, LoadOptions options) {
        this.compiled = compiled;
        this.pagesPerSequence = options.pagesPerSequence();
        this.states = compiled.newStates();
        this.execution = compiled.newExecution(weights, states);
        for (Value v : compiled.graph().values(Value.Kind.STATE)) {
            (v.name().endsWith(CACHE_SUFFIX) ? caches : rings).add(v.name());
        }
    }

    /**
     * Rows of one sequence.
     *
     * @param session whose slot and pages are used
     * @param position position of the first row
     * @param ids token of every row
     * @param wanted how many of the last rows' logits are wanted
     */
    record Rows(Session session, int position, int[] ids, int wanted) {}

    /** Runs a step. @param hidden streams of all rows for an MTP graph, else {@link MemorySegment#NULL} */
    void run(List<Rows> all, MemorySegment hidden) {
        int tokens = all.stream().mapToInt(r -> r.ids().length).sum();
        int wanted = all.stream().mapToInt(Rows::wanted).sum();
        int[] ids = new int[tokens];
        int[] positions = new int[tokens];
        int[] starts = new int[all.size() + 1];
        int[] slots = new int[all.size()];
        int[] pages = new int[all.size() * pagesPerSequence];
        int[] logitRows = new int[wanted];
        int row = 0;
        int logit = 0;
        for (int s = 0; s < all.size(); s++) {
            Rows r = all.get(s);
            int n = r.ids().length;
            System.arraycopy(r.ids(), 0, ids, row, n);
            for (int i = 0; i < n; i++) {
                positions[row + i] = r.position() + i;
            }
            for (int i = n - r.wanted(); i < n; i++) {
                logitRows[logit++] = row + i;
            }
            row += n;
            starts[s + 1] = row;
            slots[s] = r.session().slot();
            for (int p = 0; p < r.session().pageCount(); p++) {
                pages[s * pagesPerSequence + p] = r.session().page(p);
            }
        }
        execution
                .bind(V4Inputs.TOKENS, tokens)
                .bind(V4Inputs.SEQUENCES, all.size())
                .bind(V4Inputs.LOGITS, wanted);
        execution
                .set("ids", ids)
                .set("positions", positions)
                .set("starts", starts)
                .set("slots", slots);
        execution.set("pages", pages).set("logitRows", logitRows);
        if (hidden.byteSize() > 0) {
            execution.set(V4Graphs.HIDDEN, hidden);
        }
        execution.run();
    }

    /** Logits of the wanted rows of the last step, one array each. */
    float[][] logits() {
        int vocabulary =
                (int) execution.outputType(V4Graphs.LOGITS).shape().last().maximum();
        float[] flat = execution.floats(V4Graphs.LOGITS);
        float[][] rows = new float[flat.length / vocabulary][];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = java.util.Arrays.copyOfRange(flat, i * vocabulary, (i + 1) * vocabulary);
        }
        return rows;
    }

    Execution execution() {
        return execution;
    }

    CompiledGraph compiled() {
        return compiled;
    }

    /** Copies the rings of one slot to another. */
    void copySlot(int from, int to) {
        rings.forEach(name -> states.copyRow(name, from, to));
    }

    /** Copies one page of every cache to another. */
    void copyPage(int from, int to) {
        caches.forEach(name -> states.copyRow(name, from, to));
    }

    long stateBytes() {
        return states.bytes();
    }

    @Override
    public void close() {
        Closing.all(List.of(execution, states));
    }
}
