package dev.weft.model;

import static java.util.Objects.requireNonNull;

import dev.weft.RequestException;
import dev.weft.model.RankSteps.Meeting;
import dev.weft.model.RankSteps.Work;
import dev.weft.parallel.ContextCuts;
import dev.weft.spi.Closing;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the steps of a model: at once on one device; on several ranks when all do the same, which means to take part in the
 * steps of the others meanwhile. Used under the model's lock.
 */
final class Stepper implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Stepper.class);

    /** Tokens before a stretch whose cache entries cost about as much to give to others as one token to compute. */
    private static final int HISTORY = 64;

    private final StepRunner backbone;
    private final @Nullable StepRunner fixed;
    private final @Nullable MtpRunner mtp;
    private final @Nullable RankSteps ranks;
    private final @Nullable ContextPrefill context;
    private final HostScratch hidden = new HostScratch();
    /** Of steps in which this rank wants nothing. */
    private final Draws none = new Draws();

    /** Whose stretch the ranks computed last, and how far: the others have its cache pages. */
    private @Nullable Session led;

    private int ledTo;
    /** What ran the last step of the backbone. */
    private StepRunner last;
    /** Whether a step has failed on this rank or another: the ranks do not step together any more. */
    private boolean broken;

    /** @param fixed runs short steps of several ranks, in the fixed layout of dispatch */
    Stepper(
            StepRunner backbone,
            @Nullable StepRunner fixed,
            @Nullable MtpRunner mtp,
            @Nullable RankSteps ranks,
            @Nullable ContextPrefill context) {
        this.backbone = backbone;
        this.fixed = fixed;
        this.last = backbone;
        this.mtp = mtp;
        this.ranks = ranks;
        this.context = context;
    }

    /** What ran the last step, with its logits. */
    StepRunner last() {
        return last;
    }

    /** Whether a step without rows is one of other ranks. */
    boolean isRanked() {
        return ranks != null;
    }

    /**
     * Runs the rows of a step; without any, takes part in one of the others.
     *
     * @param draws what is wanted of the wanted rows, and receives it
     * @return whether there was one
     */
    boolean step(List<Feed> feeds, Draws draws) {
        if (feeds.isEmpty()) {
            return takePart();
        }
        int most = tokens(feeds);
        if (ranks != null) {
            most = meetFor(Meeting.step(most, feeds.size(), wanted(feeds))).tokens();
        }
        try { // without a lambda: a step allocates nothing
            runBackbone(feeds, most, draws);
        } catch (RuntimeException | Error e) {
            throw failed(e);
        }
        return true;
    }

    private static int tokens(List<Feed> feeds) {
        int tokens = 0;
        for (int i = 0; i < feeds.size(); i++) {
            tokens += feeds.get(i).tokens().length;
        }
        return tokens;
    }

    private static int wanted(List<Feed> feeds) {
        int wanted = 0;
        for (int i = 0; i < feeds.size(); i++) {
            wanted += feeds.get(i).wanted();
        }
        return wanted;
    }

    /** Does with the others what they do, this rank having nothing of its own. @return false if nobody has, and they part */
    boolean takePart() {
        return takePart(Work.NONE);
    }

    /** Tells the others that this rank is there, unless they have met within {@code period}. */
    void tell(Duration period) {
        if (isTogether() && requireNonNull(ranks).apart() >= period.toNanos()) {
            takePart(Work.IDLE);
        }
    }

    private boolean takePart(Work work) {
        Meeting agreed = meet(Meeting.of(work));
        takePart(agreed);
        return agreed.work() != Work.NONE;
    }

    private void takePart(Meeting agreed) {
        try {
            work(agreed);
        } catch (RequestException e) {
            // all ranks have refused it, and it is those who wanted it that tell
            LOG.debug("step of other ranks: {}", e.getMessage());
        }
    }

    private void work(Meeting agreed) {
        guarded(() -> {
            switch (agreed.work()) {
                case NONE, IDLE -> {}
                case DRAFT -> draftNothing();
                case STEP -> {
                    runBackbone(List.of(), agreed.tokens(), none);
                    advanceMtp(List.of());
                }
                case CONTEXT, CONTEXT_NEXT -> follow(agreed);
            }
        });
    }

    /** Returns when it is this rank's turn to do what it wants. @return what all have agreed on */
    private Meeting meetFor(Meeting wanted) {
        int rank = requireNonNull(ranks).rank();
        Meeting agreed = meet(wanted);
        while (!includes(agreed, wanted, rank)) {
            takePart(agreed);
            agreed = meet(wanted);
        }
        return agreed;
    }

    /** Steps and drafts run with the rows of all who have some, a spread prompt is one rank's. */
    private static boolean includes(Meeting agreed, Meeting wanted, int rank) {
        return agreed.work() == wanted.work() && (!agreed.work().isContext() || agreed.leader() == rank);
    }

    private Meeting meet(Meeting wanted) {
        if (ranks == null) {
            throw new RequestException("step: found no feed, expected one or more");
        }
        try {
            return ranks.meet(wanted);
        } catch (RuntimeException | Error e) {
            broken = true;
            throw e;
        }
    }

    /** Runs work in which ranks need each other: if it fails here they must not wait. */
    private void guarded(Runnable work) {
        try {
            work.run();
        } catch (RuntimeException | Error e) {
            throw failed(e);
        }
    }

    /** Ends the common work unless all ranks have refused the same. @return what to throw if it is no error */
    private RuntimeException failed(Throwable e) {
        if (ranks != null && !(e instanceof RequestException)) {
            broken = true;
            ranks.end(e);
        }
        if (e instanceof Error error) {
            throw error;
        }
        return (RuntimeException) e;
    }

    /** @param most tokens that a rank has at most */
    private void runBackbone(List<Feed> feeds, int most, Draws draws) {
        StepRunner runner = fixed != null && most <= fixed.mostTokens() ? fixed : backbone;
        last = runner;
        runner.begin();
        for (int i = 0; i < feeds.size(); i++) {
            Feed f = feeds.get(i);
            f.session().reach(f.tokens().length);
            runner.add(f.session(), f.session().position(), f.tokens(), f.tokens().length, f.wanted());
        }
        if (runner == fixed) {
            runner.bindMost(most);
        }
        runner.run(MemorySegment.NULL, draws);
    }

    /** Appends the tokens of a step that has run to its sessions, to all or none. */
    void advance(List<Feed> feeds) {
        if (feeds.isEmpty()) {
            return; // a step of other ranks, which is done
        }
        try {
            for (int i = 0; i < feeds.size(); i++) {
                feeds.get(i).session().advance(feeds.get(i).tokens());
            }
            advanceMtp(feeds);
        } catch (RuntimeException | Error e) {
            feeds.forEach(f -> f.session().abandon());
            throw failed(e);
        }
    }

    private void advanceMtp(List<Feed> feeds) {
        if (mtp == null) {
            return;
        }
        int rows = 0;
        for (int i = 0; i < feeds.size(); i++) {
            rows += MtpRunner.due(feeds.get(i).session());
        }
        MemorySegment streams = streams(last);
        mtp.begin(rows);
        long at = 0;
        for (int i = 0; i < feeds.size(); i++) {
            Feed f = feeds.get(i);
            mtp.take(f.session(), f.session().position() - f.tokens().length, streams, at);
            at += f.tokens().length * mtp.rowBytes();
        }
        if (rows > 0 || ranks != null) {
            mtp.run();
        }
    }

    private MemorySegment streams(StepRunner runner) {
        MemorySegment streams = hidden.bytes(runner.hiddenBytes());
        runner.execution().read(V4Graphs.HIDDEN, streams);
        return streams;
    }

    /** Chooses from the logits of each session's last row if its token follows. */
    void draft(List<Session> sessions, int[] next, Draws draws) {
        MtpRunner block = requireNonNull(mtp);
        if (ranks != null) {
            meetFor(Meeting.of(Work.DRAFT));
        }
        try {
            block.draft(sessions, next, draws);
        } catch (RuntimeException | Error e) {
            throw failed(e);
        }
    }

    private void draftNothing() {
        if (mtp != null) {
            mtp.begin(0);
            mtp.run();
        }
    }

    /** How many of the tokens that a session is to append are worth a step of all ranks now, 0 for none. */
    int spreads(Session session, int left) {
        return context == null ? 0 : worth(context, session.position(), left, continues(session));
    }

    /** How many of them this rank computes alone first: up to where all ranks take part, or all. */
    int before(Session session, int left) {
        if (context == null) {
            return left;
        }
        int open = Math.floorMod(-session.position(), ContextCuts.BLOCK);
        boolean worth = open > 0 && worth(context, session.position() + open, left - open, false) > 0;
        return worth ? open : left;
    }

    /** Others that do not have what lies before a stretch are given it, which costs more the longer it is. */
    private static int worth(ContextPrefill spread, int position, int left, boolean continuing) {
        int tokens = spread.tokens(position, left);
        return continuing || position <= (long) HISTORY * tokens ? tokens : 0;
    }

    private boolean continues(Session session) {
        return led == session && ledTo == session.position();
    }

    /**
     * Appends a stretch of a prompt that all ranks compute.
     *
     * @param feed with pages for it
     * @return the wanted logits
     */
    float[][] lead(Feed feed) {
        ContextPrefill spread = requireNonNull(context);
        RankSteps together = requireNonNull(ranks);
        Session session = feed.session();
        Meeting wanted = stretch(feed);
        for (Meeting agreed = meet(wanted); !includes(agreed, wanted, together.rank()); agreed = meet(wanted)) {
            takePart(agreed);
            wanted = stretch(feed); // somebody else's stretch may have taken the room of this one's pages
        }
        boolean continuing = wanted.work() == Work.CONTEXT_NEXT;
        ContextCuts cuts = wanted.cuts(together.size(), together.rank());
        led = null;
        List<float[][]> logits = new ArrayList<>();
        guarded(() -> {
            session.reach(feed.tokens().length);
            logits.add(spread.lead(cuts, session, feed.tokens(), feed.want(), continuing));
            session.advance(feed.tokens());
            try {
                takeStreams(session, spread, cuts, cuts.second(together.rank()));
            } catch (RuntimeException | Error e) {
                session.abandon();
                throw e;
            }
        });
        led = session;
        ledTo = session.position();
        return logits.getFirst();
    }

    private Meeting stretch(Feed feed) {
        Session s = feed.session();
        Work work = continues(s) ? Work.CONTEXT_NEXT : Work.CONTEXT;
        return Meeting.stretch(work, s.position(), feed.tokens().length, feed.want() == Feed.Want.ALL);
    }

    /** Tokens of a session were taken back: what the others have of it is not what it will have. */
    void rewound(Session session) {
        led = led == session ? null : led;
    }

    /** The block sees a window only, and the stretch's last part is longer. */
    private void takeStreams(Session session, ContextPrefill spread, ContextCuts cuts, int last) {
        if (mtp == null) {
            return;
        }
        MemorySegment streams = streams(spread.runner());
        int from = cuts.from(last);
        int tail = session.position() - from;
        session.mtpAdvanced(Math.max(session.mtpPosition(), from));
        mtp.begin(MtpRunner.due(session));
        mtp.take(session, from, streams, streams.byteSize() - tail * mtp.rowBytes());
        mtp.run();
    }

    private void follow(Meeting m) {
        RankSteps together = requireNonNull(ranks);
        ContextPrefill spread = requireNonNull(context);
        led = null;
        spread.follow(m.cuts(together.size(), m.leader()), m.all(), m.work() == Work.CONTEXT_NEXT);
        draftNothing();
    }

    /** Whether the ranks may still step together. */
    boolean isTogether() {
        return ranks != null && !broken && !ranks.parted();
    }

    /** Steps with nobody any more. */
    void abandon() {
        broken = true;
    }

    /** Bytes of activations and scratch memory. */
    long executionBytes() {
        long bytes = backbone.executionBytes();
        bytes += fixed == null ? 0 : fixed.executionBytes();
        bytes += mtp == null ? 0 : mtp.runner().executionBytes();
        return bytes + (context == null ? 0 : context.runner().executionBytes());
    }

    @Override
    public void close() {
        List<AutoCloseable> all = new ArrayList<>();
        if (context != null) {
            all.add(context);
        }
        if (mtp != null) {
            all.add(mtp);
        }
        if (fixed != null) {
            all.add(fixed);
        }
        all.add(backbone);
        if (ranks != null) {
            all.add(ranks);
        }
        Closing.all(all);
    }
}
