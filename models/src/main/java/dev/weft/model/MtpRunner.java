package dev.weft.model;

import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
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
    private final List<Session> taken = new ArrayList<>();
    private MemorySegment taking = MemorySegment.NULL;
    private long at;

    MtpRunner(CompiledGraph compiled, DeviceWeights weights, LoadOptions options, long rowBytes) {
        this.runner = new StepRunner(compiled, weights, options);
        this.rowBytes = Math.toIntExact(rowBytes);
        this.next = new int[options.maxTokens()];
    }

    /** Rows of a session whose next tokens are known, after the backbone's step. */
    static int due(Session session) {
        return Math.max(0, session.position() - 1 - session.mtpPosition());
    }

    /** Starts a step that takes over rows of the backbone. @param rows how many */
    void begin(int rows) {
        runner.begin();
        taken.clear();
        taking = streams.bytes((long) rows * rowBytes);
        at = 0;
    }

    /**
     * Takes over the rows of a backbone step whose next tokens are known now.
     *
     * @param session after the backbone's step
     * @param first position of the first row in {@code hidden}
     * @param hidden holds the streams of the step's rows; not changed before {@link #run}
     * @param offset where the first row's start
     */
    void take(Session session, int first, MemorySegment hidden, long offset) {
        int from = session.mtpPosition();
        int count = due(session);
        HiddenRows kept = session.hidden();
        if (count > 0) {
            for (int i = 0; i < count; i++) {
                int p = from + i;
                if (p < first) {
                    kept.get(p, taking, at);
                } else {
                    MemorySegment.copy(hidden, offset + (long) (p - first) * rowBytes, taking, at, rowBytes);
                }
                at += rowBytes;
                next[i] = session.token(p + 1);
            }
            runner.add(session, from, next, count, 0);
            taken.add(session);
        }
        int newest = session.position();
        for (int p = Math.max(first, newest - kept.capacity()); p < newest; p++) {
            kept.put(p, hidden, offset + (long) (p - first) * rowBytes, rowBytes);
        }
    }

    /** Runs the rows that were taken over. */
    void run() {
        runner.run(taking);
        for (int i = 0; i < taken.size(); i++) {
            taken.get(i).mtpAdvanced(taken.get(i).position() - 1);
        }
    }

    /** Chooses from the logits of each session's last row if its token follows. @param draws a row for each session */
    void draft(List<Session> sessions, int[] tokens, Draws draws) {
        MemorySegment in = streams.bytes((long) sessions.size() * rowBytes);
        runner.begin();
        for (int i = 0; i < sessions.size(); i++) {
            Session session = sessions.get(i);
            int p = session.position() - 1;
            session.hidden().get(p, in, (long) i * rowBytes);
            next[0] = tokens[i];
            runner.add(session, p, next, 1, 1);
        }
        runner.run(in, draws);
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
