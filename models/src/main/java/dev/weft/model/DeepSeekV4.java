package dev.weft.model;

import dev.weft.CancelledException;
import dev.weft.ClosedException;
import dev.weft.DeviceMemoryException;
import dev.weft.RequestException;
import dev.weft.graph.Graph;
import dev.weft.io.Checkpoint;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.Placement;
import dev.weft.spi.Closing;
import dev.weft.spi.Communicator;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A loaded DeepSeek-V4 model on one device, or a rank's share of one. Many {@link Session}s share its weights; {@link #step} runs any number of them
 * together. Thread-safe: steps run one after another. Close waits for the running step and closes the sessions.
 */
public final class DeepSeekV4 implements AutoCloseable {
    private final ModelConfig config;
    private final LoadOptions options;
    private final DeviceWeights weights;
    private final StepRunner backbone;
    private final @Nullable MtpRunner mtp;
    private final Stepper stepper;
    private final StepRules rules;
    private final SequenceStates states;
    private final SessionFormat sessionFormat;
    private final List<Session> sessions = new ArrayList<>();
    /** Of steps whose logits are wanted. */
    private final Draws plain = new Draws();

    private boolean closed;

    private @Nullable Leading leading;

    DeepSeekV4(
            ModelConfig config,
            LoadOptions options,
            String fingerprint,
            DeviceWeights weights,
            StepRunner backbone,
            @Nullable MtpRunner mtp,
            Stepper stepper) {
        this.config = config;
        this.options = options;
        this.weights = weights;
        this.backbone = backbone;
        this.mtp = mtp;
        this.stepper = stepper;
        List<StepRunner> runners = mtp == null ? List.of(backbone) : List.of(backbone, mtp.runner());
        this.rules = new StepRules(options, config.vocabSize());
        this.states = new SequenceStates(options, runners);
        this.sessionFormat = new SessionFormat(config, options, fingerprint, runners);
    }

    /** Loads a checkpoint to a device. */
    public static DeepSeekV4 load(Checkpoint checkpoint, Device device, LoadOptions options) {
        return load(checkpoint, device, options, CompileOptions.DEFAULT, bytes -> {});
    }

    /**
     * Loads a checkpoint to a device. What the device cannot run is reported before any weight is read.
     *
     * @param progress receives the weight bytes loaded so far
     * @throws DeviceMemoryException if the states would exceed the limit of the options
     */
    public static DeepSeekV4 load(
            Checkpoint checkpoint, Device device, LoadOptions options, CompileOptions compile, LongConsumer progress) {
        Communicator group = compile.group();
        ParallelPlan plan = group == null ? ParallelPlan.ALONE : ParallelPlan.experts(group.size());
        return load(checkpoint, device, options, compile, plan, progress);
    }

    /**
     * Loads this rank's share of a checkpoint. All ranks of {@link CompileOptions#group} call it with the same checkpoint,
     * options and plan, each with a device of its own; from then on they step together: see {@link #follow}.
     *
     * @param progress receives the weight bytes loaded so far
     * @throws RequestException if the plan does not fit the model or the group
     * @throws DeviceMemoryException if the states would exceed the limit of the options, or the rank's share its device
     * @throws dev.weft.CommunicatorException if the ranks were not started alike, or loading fails on another one
     */
    public static DeepSeekV4 load(
            Checkpoint checkpoint,
            Device device,
            LoadOptions options,
            CompileOptions compile,
            ParallelPlan plan,
            LongConsumer progress) {
        return ModelLoader.load(checkpoint, device, options, compile, plan, progress);
    }

    /** The configuration of the checkpoint. */
    public ModelConfig config() {
        return config;
    }

    /** The options it was loaded with. */
    public LoadOptions options() {
        return options;
    }

    /** The backbone's graph. */
    public Graph graph() {
        return backbone.compiled().graph();
    }

    /** Which node runs where. */
    public Placement placement() {
        return backbone.compiled().placement();
    }

    /** Bytes of all states on the device: rings and cache pages of every sequence. */
    public long stateBytes() {
        return backbone.stateBytes() + (mtp == null ? 0 : mtp.runner().stateBytes());
    }

    /** What the model holds now. */
    public synchronized ModelMemory memory() {
        return new ModelMemory(
                weights.bytes(),
                stateBytes(),
                stepper.executionBytes(),
                states.ringMemory().bytes(),
                states.pageBytes(),
                states.pool().size(),
                states.pool().free(),
                states.ringMemory().allocatedBytes());
    }

    synchronized SessionMemory memory(Session session) {
        session.requireOpen();
        return states.memory(session);
    }

    /** The weights on the device. */
    public DeviceWeights weights() {
        return weights;
    }

    /** The last step's execution, for outputs of a traced model. */
    public Execution execution() {
        return stepper.last().execution();
    }

    /** A new, empty sequence. @throws DeviceMemoryException if as many are open as were planned for */
    public synchronized Session newSession() {
        requireOpen();
        Session s = new Session(this, states.takeSlot(), new HiddenRows(options.rollback() + 2));
        sessions.add(s);
        return s;
    }

    /**
     * Runs one step: every feed appends its tokens to its session. All or nothing: if the step fails no session advances.
     * On several ranks it is a step of all, and one without feeds takes part in what the others have; if no rank has any,
     * the common work ends as with {@link #follow}.
     *
     * <p>A step of one feed that is as long as {@link #next} says may have more tokens than {@link LoadOptions#maxTokens}.
     *
     * @return the wanted logits, one array of rows per feed
     * @throws RequestException if a feed is empty, too long, names a session twice, or holds an id outside the vocabulary
     */
    public synchronized List<float[][]> step(List<Feed> feeds) {
        StepEvent event = StepEvent.started();
        if (isSpread(feeds)) {
            return List.<float[][]>of(lead(feeds.getFirst(), event));
        }
        admit(feeds);
        float[] logits = new float[roomFor(rows(feeds))];
        Draws draws = new Draws(); // of its own: steps that repair a session come this way while another waits
        draws.skipAll((int) rows(feeds), logits);
        compute(feeds, draws, event);
        stepper.advance(feeds);
        List<float[][]> out = new ArrayList<>();
        int at = 0;
        for (Feed f : feeds) {
            float[][] rows = new float[f.wanted()][];
            for (int i = 0; i < rows.length; i++, at += config.vocabSize()) {
                rows[i] = Arrays.copyOfRange(logits, at, at + config.vocabSize());
            }
            out.add(rows);
        }
        return out;
    }

    /**
     * Runs one step like {@link #step(List)} and writes the wanted logits to {@code logits}, one row of the vocabulary's
     * size after another in the order of the feeds.
     *
     * @throws RequestException if the array is too short, and as {@link #step(List)}
     */
    public synchronized void step(List<Feed> feeds, float[] logits) {
        step(feeds, logits, StepEvent.started());
    }

    private void step(List<Feed> feeds, float[] logits, StepEvent event) {
        requireRoom(logits, rows(feeds));
        step(feeds, allLogits(feeds, logits), event);
    }

    /**
     * Runs one step like {@link #step(List)} and chooses from the logits of the wanted rows what {@code draws} asks for. Where
     * the device has {@link dev.weft.op.Sample}, it is the device that draws, and logits leave it only if a row is skipped;
     * elsewhere the host draws, by the same rule.
     *
     * @throws RequestException if {@code draws} has not as many rows as the feeds want, and as {@link #step(List)}
     */
    public synchronized void step(List<Feed> feeds, Draws draws) {
        step(feeds, draws, StepEvent.started());
    }

    private void step(List<Feed> feeds, Draws draws, StepEvent event) {
        long wanted = rows(feeds);
        begin(draws, wanted);
        requireArray(draws, backbone, wanted);
        if (isSpread(feeds)) {
            roomFor(wanted);
            float[][] rows = lead(feeds.getFirst(), event);
            float[] logits = draws.roomForLogits(config.vocabSize());
            for (int i = 0; i < rows.length; i++) {
                System.arraycopy(rows[i], 0, logits, i * rows[i].length, rows[i].length);
            }
            draws.drawOnHost(config.vocabSize());
            return;
        }
        admit(feeds);
        compute(feeds, draws, event);
        stepper.advance(feeds);
    }

    private static void begin(Draws draws, long wanted) {
        draws.begin();
        if (draws.rows() != wanted) {
            throw new RequestException("draws: found " + draws.rows() + " rows, expected the " + wanted
                    + " that are wanted; add or skip one for each");
        }
    }

    /** Refuses more logits than an array holds, if any leave the device. */
    private void requireArray(Draws draws, StepRunner runner, long wanted) {
        if (draws.hasSkipped() || !runner.draws()) {
            roomFor(wanted);
        }
    }

    /** Draws nothing. */
    private Draws allLogits(List<Feed> feeds, float[] logits) {
        plain.skipAll((int) rows(feeds), logits);
        return plain;
    }

    /** Rows of logits that are wanted. */
    private static long rows(List<Feed> feeds) {
        long rows = 0;
        for (int i = 0; i < feeds.size(); i++) {
            rows += feeds.get(i).wanted();
        }
        return rows;
    }

    /**
     * Runs steps of some shapes on sequences of its own, so that the first real ones of these shapes take no longer than
     * later ones: devices that record steps have recorded them and replay, weights that are read when first needed have been
     * read as far as these steps need them. Sequences, prefix caches and random numbers do not notice. On several ranks these
     * are steps of all.
     *
     * <p>An MTP block is a token behind the rest: of the first {@code n} tokens of a sequence it has {@code n - 1} rows, of
     * later ones {@code n}. Shapes are warmed up as later ones, so the block's part of a prompt's first chunk is not.
     *
     * <p>As many sequences and cache pages must be free as the largest shape needs, which they are after loading. An {@link
     * dev.weft.generate.Engine} that is to be fast from the first request on is made afterwards.
     *
     * @throws RequestException if a shape exceeds the bounds of {@link #options} or wants more logits than an array holds, or
     *     there are more shapes than the device keeps recordings of, as the first ones would be forgotten again; with an MTP
     *     block a step of one token for each of a shape's sequences is a shape too, and so are its drafts
     * @throws DeviceMemoryException if too few sequences or cache pages are free
     * @throws dev.weft.WeftException what a step throws; the sequences are closed then
     */
    public synchronized void warmUp(List<StepShape> shapes) {
        requireOpen();
        new WarmUp(this, backbone.compiled().device(), stepper.isRanked()).run(shapes);
    }

    /** A step that nobody asked for; pages are taken from nobody. */
    void rehearse(List<Feed> feeds, float[] logits) {
        states.requireUnused(feeds);
        step(feeds, logits, StepEvent.startedWarmUp());
    }

    private int roomFor(long rows) {
        long floats = rows * config.vocabSize();
        if (floats > Integer.MAX_VALUE) {
            throw new RequestException("logits: found " + rows + " wanted rows of the vocabulary's "
                    + config.vocabSize() + ", expected at most " + Integer.MAX_VALUE / config.vocabSize()
                    + "; split them over steps");
        }
        return (int) floats;
    }

    private void requireRoom(float[] logits, long rows) {
        long needed = rows * config.vocabSize();
        if (logits.length < needed) {
            throw new RequestException("logits: found an array of " + logits.length + " floats, expected at least "
                    + needed + ": " + rows + " rows of the vocabulary's " + config.vocabSize());
        }
    }

    /** Refuses what cannot be asked for. */
    private void admit(List<Feed> feeds) {
        requireOpen();
        if (!stepper.isRanked() || !feeds.isEmpty()) {
            rules.check(this, feeds, options.maxTokens());
        }
    }

    private void compute(List<Feed> feeds, Draws draws, StepEvent event) {
        prepare(feeds);
        stepper.step(feeds, draws);
        event.end(backbone.compiled().device(), feeds);
    }

    private void prepare(List<Feed> feeds) {
        for (int i = 0; i < feeds.size(); i++) {
            mend(feeds.get(i).session());
        }
        states.makeWritable(feeds);
    }

    /**
     * Takes part in the steps of the other ranks without work of its own. Returns once no rank has work, which is when all
     * of them follow or close, and the model runs no steps afterwards; at once for a model on one device. Steps of this
     * rank's own sessions must not run meanwhile.
     *
     * @throws dev.weft.CommunicatorException if a rank fails or does not answer in time
     */
    public void follow() {
        boolean going = true;
        while (going) {
            going = followOnce();
        }
    }

    private synchronized boolean followOnce() {
        requireOpen();
        return stepper.isTogether() && stepper.takePart();
    }

    /**
     * Lets the other ranks wait for this one's next step as long as it takes, until the model is closed: while it has no
     * work it tells them twice a second that it is there. Called once, by a rank that drives; nobody else uses the group from
     * now on. Does nothing on one device.
     *
     * @param lost called on another thread if the ranks cannot work together any more
     */
    public synchronized void lead(Consumer<Throwable> lost) {
        requireOpen();
        if (leading != null) {
            throw new RequestException("lead: this rank leads already");
        }
        if (stepper.isRanked()) {
            leading = Leading.start(this::tell, lost);
        }
    }

    private synchronized void tell() {
        if (!closed) {
            stepper.tell(Leading.PERIOD);
        }
    }

    /** Computes a session again if a step that failed has overwritten rows of its rings that it needs. */
    private void mend(Session session) {
        if (!ringsReach(session, session.position())) {
            truncate(session, session.position());
        }
    }

    private boolean ringsReach(Session session, int position) {
        return session.highWater() - position <= options.rollback();
    }

    /** Appends in chunks; only the last chunk's logits are returned unless all are wanted. */
    synchronized float[][] append(Session session, int[] ids, Feed.Want want, BooleanSupplier cancelled) {
        requireOpen();
        session.requireOpen();
        rules.check(session, ids);
        states.require(List.of(new Feed(session, ids, want)));
        List<float[]> rows = new ArrayList<>();
        for (int at = 0; at < ids.length; ) {
            if (cancelled.getAsBoolean()) {
                throw new CancelledException("prefill: cancelled after " + at + " of " + ids.length + " tokens");
            }
            int left = ids.length - at;
            int count = next(session, left);
            Feed.Want w = want == Feed.Want.LAST && count < left ? Feed.Want.NONE : want;
            rows.addAll(List.of(step(List.of(new Feed(session, Arrays.copyOfRange(ids, at, at + count), w)))
                    .getFirst()));
            at += count;
        }
        return rows.toArray(float[][]::new);
    }

    /**
     * How many of the {@code left} tokens that a session is to append its next step should have. At most {@link
     * LoadOptions#maxTokens}, unless prompts are spread over ranks: then also as many as all ranks compute together, in a
     * step of this session alone.
     */
    public synchronized int next(Session session, int left) {
        int spread = stepper.spreads(session, left);
        return spread > 0 ? spread : Math.min(options.maxTokens(), stepper.before(session, left));
    }

    private boolean isSpread(List<Feed> feeds) {
        if (feeds.size() != 1) {
            return false;
        }
        int tokens = feeds.getFirst().tokens().length;
        return tokens > 0 && stepper.spreads(feeds.getFirst().session(), tokens) == tokens;
    }

    private float[][] lead(Feed feed, StepEvent event) {
        requireOpen();
        List<Feed> feeds = List.of(feed);
        rules.check(this, feeds, feed.tokens().length);
        prepare(feeds);
        float[][] logits = stepper.lead(feed);
        event.end(backbone.compiled().device(), feeds, true);
        return logits;
    }

    synchronized void append(Session session, int token, float[] logits) {
        requireRoom(logits, 1);
        plain.skipAll(1, logits);
        append(session, token, plain);
    }

    synchronized void append(Session session, int token, Draws draws) {
        step(session.feedOf(token), draws, StepEvent.started());
    }

    /**
     * Predicts, for each of some sessions, the token after {@code next} by the MTP block, all in one step: logits given that
     * {@code next} follows. No session advances.
     *
     * @param sessions different sessions of this model, none empty; at most {@link LoadOptions#maxTokens}
     * @param next one token for each session
     * @param logits receives one row of the vocabulary's size for each session
     * @throws RequestException if the model was loaded without MTP, a session is empty, a token is outside the vocabulary,
     *     or the array is too short
     */
    public synchronized void draft(List<Session> sessions, int[] next, float[] logits) {
        requireRoom(logits, sessions.size());
        plain.skipAll(sessions.size(), logits);
        draft(sessions, next, plain);
    }

    /**
     * Predicts like {@link #draft(List, int[], float[])} and chooses from the logits what {@code draws} asks for, as
     * {@link #step(List, Draws)} does.
     *
     * @param draws a row for each session
     * @throws RequestException if there are more rows or fewer, and as {@link #draft(List, int[], float[])}
     */
    public synchronized void draft(List<Session> sessions, int[] next, Draws draws) {
        requireOpen();
        if (mtp == null) {
            throw new RequestException("draft: the model was loaded without its MTP block; use LoadOptions.withMtp");
        }
        if (sessions.isEmpty() || sessions.size() > options.maxTokens()) {
            throw new RequestException(
                    "draft: found " + sessions.size() + " sessions, expected 1 to " + options.maxTokens());
        }
        begin(draws, sessions.size());
        requireArray(draws, mtp.runner(), sessions.size());
        for (int i = 0; i < sessions.size(); i++) {
            Session session = sessions.get(i);
            session.requireOpen();
            if (session.position() == 0) {
                throw new RequestException("draft: the session is empty; append a token first");
            }
            rules.check("draft", next[i]);
            mend(session);
            states.makeWritable(session);
        }
        stepper.draft(sessions, next, draws);
    }

    synchronized float[] draft(Session session, int next) {
        float[] logits = new float[config.vocabSize()];
        draft(List.of(session), new int[] {next}, logits);
        return logits;
    }

    synchronized void truncate(Session session, int newPosition) {
        requireOpen();
        session.requireOpen();
        if (newPosition < 0 || newPosition > session.position()) {
            throw new RequestException(
                    "truncate: found position " + newPosition + ", expected 0 to " + session.position());
        }
        stepper.rewound(session);
        if (ringsReach(session, newPosition)) {
            states.truncate(session, newPosition);
            session.rewind(newPosition);
        } else {
            states.requireReplay(session, newPosition);
            states.truncate(session, 0);
            int[] kept = Arrays.copyOf(session.tokens(), newPosition);
            session.forget();
            if (newPosition > 0) {
                append(session, kept, Feed.Want.NONE, () -> false);
            }
        }
    }

    synchronized Session fork(Session session) {
        requireOpen();
        session.requireOpen();
        mend(session);
        return filled(other -> states.fork(session, other));
    }

    void save(Session session, Path file) {
        Snapshot snapshot = snapshot(session);
        try {
            SessionWriter.write(sessionFormat, snapshot, file);
        } finally {
            release(snapshot);
        }
    }

    /**
     * A new session with the tokens and states of a file that {@link Session#save} wrote, on whatever device.
     *
     * @throws dev.weft.CheckpointException if the file is damaged, of another version, checkpoint, numeric mode or
     *     rollback, with MTP or without where this model is not, or longer than the context
     * @throws DeviceMemoryException if no session or not enough pages are free
     */
    public Session loadSession(Path file) {
        try (SessionReader reader = SessionReader.open(sessionFormat, file)) {
            return filled(s -> {
                int[] tokens = reader.progress().tokens();
                locked(() -> states.makeWritable(List.of(new Feed(s, tokens, Feed.Want.NONE))));
                // nobody else knows the session yet: steps of others may run meanwhile
                reader.readStates(s);
                locked(() -> s.resume(reader.progress()));
            });
        }
    }

    void send(Session session, Communicator ranks, int to) {
        Snapshot snapshot = snapshot(session);
        try {
            SessionTransfer.send(sessionFormat, snapshot, ranks, to);
        } finally {
            release(snapshot);
        }
    }

    /**
     * A new session with the tokens and states that another rank hands over by {@link Session#send}. The bytes are kept in
     * a temporary file meanwhile.
     *
     * @param from the rank that sends
     * @throws dev.weft.CommunicatorException if the other rank does not answer in time
     * @throws dev.weft.CheckpointException as {@link #loadSession}
     * @throws DeviceMemoryException as {@link #loadSession}
     */
    public Session receiveSession(Communicator ranks, int from) {
        Path file = SessionTransfer.receive(ranks, from);
        try {
            return loadSession(file);
        } finally {
            SessionTransfer.delete(file);
        }
    }

    private synchronized void locked(Runnable action) {
        requireOpen();
        action.run();
    }

    /** A new session that is what a snapshot was taken of. */
    synchronized Session newSession(Snapshot snapshot) {
        return filled(s -> states.restore(snapshot, s));
    }

    synchronized void addHolder(SequenceStates.PageHolder holder) {
        requireOpen();
        states.add(holder);
    }

    synchronized void removeHolder(SequenceStates.PageHolder holder) {
        states.remove(holder);
    }

    /** A copy of a session that is independent of it, to be released. */
    synchronized Snapshot snapshot(Session session) {
        requireOpen();
        session.requireOpen();
        mend(session);
        return states.snapshot(session);
    }

    synchronized void release(Snapshot snapshot) {
        states.release(snapshot);
    }

    synchronized void release(Session session) {
        if (session.markClosed()) {
            stepper.rewound(session);
            states.release(session);
            sessions.remove(session);
        }
    }

    /** A new session that is filled, or closed again if that fails. */
    private Session filled(Consumer<Session> filler) {
        Session s = newSession();
        try {
            filler.accept(s);
            return s;
        } catch (RuntimeException | Error e) {
            s.close();
            throw e;
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new ClosedException("model: used after close");
        }
    }

    /** Closes without regard to other ranks. */
    void abandon() {
        stepper.abandon();
        close();
    }

    /** On several ranks, {@linkplain #follow follows} the others to their end first unless a step has failed. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        try {
            follow();
        } finally {
            release();
        }
    }

    private void release() {
        List.copyOf(sessions).forEach(Session::close);
        closed = true;
        Closing.all(leading == null ? List.of(stepper, weights) : List.of(leading, stepper, weights));
    }
}
