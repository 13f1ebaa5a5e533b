package dev.weft.model;

import dev.weft.RequestException;
import dev.weft.runtime.Device;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** Runs shapes of steps until the next step of every shape is a replay. Used under the model's lock. */
final class WarmUp {
    /** The first run with some extents finds memory, the second is recorded: {@link dev.weft.spi.Capturing.Capture#enqueue}. */
    private static final int RUNS = 2;

    private final DeepSeekV4 model;
    private final Device device;
    private final LoadOptions options;

    WarmUp(DeepSeekV4 model, Device device) {
        this.model = model;
        this.device = device;
        this.options = model.options();
    }

    void run(List<StepShape> shapes) {
        shapes.forEach(this::check);
        requireKept("backbone", extents(shapes, false));
        if (options.mtp()) {
            requireKept("MTP block", extents(shapes, true));
        }
        shapes.forEach(this::run);
    }

    private void check(StepShape shape) {
        if (shape.sequences() > options.maxSequences()
                || (long) shape.sequences() * shape.tokens() > options.maxTokens()
                || shape.tokens() > options.maxContext()) {
            throw new RequestException("warm-up: found " + shape.sequences() + " sequences of " + shape.tokens()
                    + " tokens, expected at most " + options.maxSequences() + " sequences of " + options.maxContext()
                    + " tokens, and " + options.maxTokens() + " tokens together; load the model with larger bounds");
        }
    }

    /** Numbers of rows, sequences and logits. */
    private record Extents(int rows, int sequences, int wanted) {}

    /** What is recorded for some shapes. The MTP block follows a step with the same rows, and drafts one for each sequence. */
    private static Set<Extents> extents(List<StepShape> shapes, boolean mtp) {
        Set<Extents> extents = new HashSet<>();
        for (StepShape s : shapes) {
            extents.add(new Extents(s.rows(), s.sequences(), mtp ? 0 : s.wanted()));
            if (mtp) {
                extents.add(new Extents(s.sequences(), s.sequences(), s.sequences()));
            }
        }
        return extents;
    }

    private void requireKept(String what, Set<Extents> extents) {
        if (extents.size() > device.recordings()) {
            throw new RequestException("warm-up: found " + extents.size() + " shapes of steps of the " + what
                    + ", expected at most " + device.recordings() + ", of which " + device.id()
                    + " keeps recordings; warm up fewer, or let the device keep more graphs");
        }
    }

    private void run(StepShape shape) {
        List<Session> sessions = new ArrayList<>();
        try {
            for (int i = 0; i < shape.sequences(); i++) {
                sessions.add(model.newSession());
            }
            run(shape, sessions);
        } finally {
            sessions.forEach(Session::close);
        }
    }

    private void run(StepShape shape, List<Session> sessions) {
        int rows = Math.max(shape.wanted(), options.mtp() ? shape.sequences() : 0);
        float[] logits = new float[Math.multiplyExact(rows, model.config().vocabSize())];
        int[] tokens = tokens(shape.tokens());
        List<Feed> feeds =
                sessions.stream().map(s -> new Feed(s, tokens, shape.want())).toList();
        int runs = options.mtp() ? 1 + RUNS : RUNS; // the MTP block is a row behind: its first step has fewer
        for (int i = 0; i < runs; i++) {
            if (sessions.getFirst().position() + shape.tokens() > options.maxContext()) {
                sessions.forEach(Session::reset);
            }
            model.rehearse(feeds, logits);
        }
        for (int i = 0; options.mtp() && i < RUNS; i++) {
            model.draft(sessions, tokens(shape.sequences()), logits);
        }
    }

    /** Different tokens, so that they do not all go to the same experts. */
    private int[] tokens(int count) {
        int vocabulary = model.config().vocabSize();
        return IntStream.range(0, count).map(i -> i % vocabulary).toArray();
    }
}
