package dev.weft.model;

import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Keeps the MTP block one row behind the backbone: row p combines the streams of position p with token p+1 and predicts
 * token p+2, so a row runs for good once its next token is appended (specification 7.3).
 */
final class MtpRunner implements AutoCloseable {
    private final StepRunner runner;
    private final long rowBytes;

    MtpRunner(CompiledGraph compiled, DeviceWeights weights, LoadOptions options, long rowBytes) {
        this.runner = new StepRunner(compiled, weights, options);
        this.rowBytes = rowBytes;
    }

    /**
     * Takes over the rows of a backbone step whose next tokens are known now.
     *
     * @param session after the step
     * @param first position of the step's first row
     * @param hidden streams of the step's rows
     */
    void advance(Session session, int first, MemorySegment hidden) {
        int from = session.mtpPosition();
        int until = session.position() - 1;
        int rows = until - from;
        HiddenRows kept = session.hidden();
        if (rows > 0) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment streams = arena.allocate(rows * rowBytes, 64);
                int[] next = new int[rows];
                for (int i = 0; i < rows; i++) {
                    int p = from + i;
                    MemorySegment row = p < first
                            ? MemorySegment.ofArray(kept.get(p))
                            : hidden.asSlice((p - first) * rowBytes, rowBytes);
                    MemorySegment.copy(row, 0, streams, i * rowBytes, rowBytes);
                    next[i] = session.token(p + 1);
                }
                runner.run(List.of(new StepRunner.Rows(session, from, next, 0)), streams);
            }
            session.mtpAdvanced(until);
        }
        int newest = session.position();
        for (int p = Math.max(first, newest - kept.capacity()); p < newest; p++) {
            kept.put(p, hidden.asSlice((p - first) * rowBytes, rowBytes));
        }
    }

    /** Logits of the last row if {@code next} follows. */
    float[] draft(Session session, int next) {
        int p = session.position() - 1;
        MemorySegment row = MemorySegment.ofArray(session.hidden().get(p));
        runner.run(List.of(new StepRunner.Rows(session, p, new int[] {next}, 1)), row);
        return runner.logits()[0];
    }

    StepRunner runner() {
        return runner;
    }

    @Override
    public void close() {
        runner.close();
    }
}
