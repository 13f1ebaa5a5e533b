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
    private final boolean ranked;

    /** @param ranked whether steps are those of several ranks */
    WarmUp(DeepSeekV4 model, Device device, boolean ranked) {
        this.model = model;
        this.device = device;
        this.ranked = ranked;
        this.options = model.options();
    }

    void run(List<StepShape> shapes) {
        shapes.forEach(this::check);
        requireKept("backbone", backboneExtents(shapes));
        if (options.mtp()) {
            requireKept("MTP block", mtpExtents(shapes));
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
        int most = Integer.MAX_VALUE / model.config().vocabSize();
        if (logitRows(shape) > most) {
            throw new RequestException("warm-up: found " + logitRows(shape) + " rows of logits of the vocabulary's "
                    + model.config().vocabSize() + ", expected at most " + most
                    + ", which one array holds; want fewer");
        }
    }

    private int logitRows(StepShape shape) {
        return Math.max(shape.wanted(), options.mtp() ? shape.sequences() : 0);
    }

    /** Numbers of rows, sequences and logits. */
    private record Extents(int rows, int sequences, int wanted) {}

    /** What is recorded of the backbone for some shapes. */
    private Set<Extents> backboneExtents(List<StepShape> shapes) {
        Set<Extents> extents = new HashSet<>();
        for (StepShape s : shapes) {
            extents.add(new Extents(s.rows(), s.sequences(), s.wanted()));
            if (begins(s)) {
                extents.add(new Extents(s.sequences(), s.sequences(), s.sequences()));
            }
        }
        return extents;
    }

    /** What is recorded of the MTP block, which follows a step with its rows and drafts one for each sequence. */
    private Set<Extents> mtpExtents(List<StepShape> shapes) {
        Set<Extents> extents = new HashSet<>();
        for (StepShape s : shapes) {
            int due = begins(s) ? s.tokens() : s.tokens() - 1;
            extents.add(new Extents(s.sequences() * due, due == 0 ? 0 : s.sequences(), 0));
            extents.add(new Extents(s.sequences(), s.sequences(), s.sequences()));
            if (begins(s) && ranked) {
                extents.add(new Extents(0, 0, 0)); // ranks run it together even if none has rows
            }
        }
        return extents;
    }

    /**
     * Whether sequences get a token before a shape's rows: the MTP block is a token behind, and of the first tokens of a
     * sequence it has a row less than of later ones.
     */
    private boolean begins(StepShape shape) {
        return options.mtp() && shape.tokens() < options.maxContext();
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
        float[] logits = new float[logitRows(shape) * model.config().vocabSize()];
        List<Feed> feeds = feeds(sessions, shape.tokens(), shape.want());
        for (int i = 0; i < RUNS; i++) {
            if (sessions.getFirst().position() + shape.tokens() > options.maxContext()) {
                sessions.forEach(Session::reset);
            }
            if (begins(shape) && sessions.getFirst().position() == 0) {
                model.rehearse(feeds(sessions, 1, Feed.Want.LAST), logits);
            }
            model.rehearse(feeds, logits);
        }
        for (int i = 0; options.mtp() && i < RUNS; i++) {
            model.draft(sessions, tokens(shape.sequences()), logits);
        }
    }

    private List<Feed> feeds(List<Session> sessions, int count, Feed.Want want) {
        int[] tokens = tokens(count);
        return sessions.stream().map(s -> new Feed(s, tokens, want)).toList();
    }

    /** Different tokens, so that they do not all go to the same experts. */
    private int[] tokens(int count) {
        int vocabulary = model.config().vocabSize();
        return IntStream.range(0, count).map(i -> i % vocabulary).toArray();
    }
}
