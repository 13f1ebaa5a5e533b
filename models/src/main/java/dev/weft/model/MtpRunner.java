package dev.weft.model;

import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Keeps the MTP block one row behind the backbone: row p combines the streams of position p with token p+1 and predicts
 * token p+2, so a row runs for good once its next token is appended (specification 7.3).
 */
final class MtpRunner implements AutoCloseable {
    private final StepRunner runner;
    private final int rowBytes;
    private final HostScratch streams = new HostScratch();
    private final int[] next;

    MtpRunner(CompiledGraph compiled, DeviceWeights weights, LoadOptions options, long rowBytes) {
        this.runner = new StepRunner(compiled, weights, options);
        this.rowBytes = Math.toIntExact(rowBytes);
        this.next = new int[options.maxTokens()];
    }

    /**
     * Takes over the rows of a backbone step whose next tokens are known now.
     *
     * @param session after the step
     * @param first position of the step's first row
     * @param hidden holds the streams of the step's rows
     * @param offset where they start
     */
    void advance(Session session, int first, MemorySegment hidden, long offset) {
        int from = session.mtpPosition();
        int until = session.position() - 1;
        int rows = until - from;
        HiddenRows kept = session.hidden();
        if (rows > 0) {
            MemorySegment in = streams.bytes((long) rows * rowBytes);
            for (int i = 0; i < rows; i++) {
                int p = from + i;
                if (p < first) {
                    kept.get(p, in, (long) i * rowBytes);
                } else {
                    long at = offset + (long) (p - first) * rowBytes;
                    MemorySegment.copy(hidden, at, in, (long) i * rowBytes, rowBytes);
                }
                next[i] = session.token(p + 1);
            }
            runner.begin();
            runner.add(session, from, next, rows, 0);
            runner.run(in);
            session.mtpAdvanced(until);
        }
        int newest = session.position();
        for (int p = Math.max(first, newest - kept.capacity()); p < newest; p++) {
            kept.put(p, hidden, offset + (long) (p - first) * rowBytes, rowBytes);
        }
    }

    /** Logits of each session's last row if its token follows, one row after another. */
    void draft(List<Session> sessions, int[] tokens, float[] logits) {
        MemorySegment in = streams.bytes((long) sessions.size() * rowBytes);
        runner.begin();
        for (int i = 0; i < sessions.size(); i++) {
            Session session = sessions.get(i);
            int p = session.position() - 1;
            session.hidden().get(p, in, (long) i * rowBytes);
            next[0] = tokens[i];
            runner.add(session, p, next, 1, 1);
        }
        runner.run(in);
        runner.logits(logits);
    }

    /** Bytes of the residual streams of one row. */
    long rowBytes() {
        return rowBytes;
    }

    StepRunner runner() {
        return runner;
    }

    @Override
    public void close() {
        runner.close();
    }
}
