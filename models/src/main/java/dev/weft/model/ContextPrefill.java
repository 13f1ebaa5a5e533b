package dev.weft.model;

import dev.weft.RequestException;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ContextCuts;
import dev.weft.parallel.ContextInputs;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * Long prompts over all ranks: the rank whose sequence it is leads, every rank computes two parts of the stretch, and the
 * states end up with the leader as if it had computed them alone. The others keep the stretch's cache pages beside those of
 * their own sequences, and the rings of their parts in slots of their own. Used under the model's lock.
 */
final class ContextPrefill implements AutoCloseable {
    private static final String WHAT = "spread prompt";
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED;
    /** Ring slots beyond those of sessions: for both parts of a rank that follows, and one that nobody reads. */
    private static final int SPARE_SLOTS = 3;

    private final Communicator group;
    private final LoadOptions options;
    private final ContextInputs inputs;
    private final StepRunner runner;
    private final int leastBlocks;
    private final HostScratch scratch = new HostScratch();

    /**
     * @param options as for sessions, without {@link #room}
     * @param runner of the context graph, on the backbone's states
     */
    ContextPrefill(Communicator group, LoadOptions options, ContextInputs inputs, StepRunner runner) {
        this.group = group;
        this.options = options;
        this.inputs = inputs;
        this.runner = runner;
        this.leastBlocks = leastBlocks(options, inputs);
    }

    /** The options with room for a stretch of somebody else's prompt in the states. */
    static LoadOptions room(LoadOptions o) {
        return o.cachePages(o.pages() + o.pagesPerSequence()).maxSequences(o.maxSequences() + SPARE_SLOTS);
    }

    /** Refuses what is known before graphs are built. */
    static void refuseModel(LoadOptions options, ModelConfig config) {
        if (options.trace()) {
            throw new RequestException("prompts spread over ranks: values inside are not traced; load without trace");
        }
        if (options.mtp() && config.ratio(config.numHiddenLayers()) != 0) {
            throw new RequestException("prompts spread over ranks: the MTP block has a cache of compression ratio "
                    + config.ratio(config.numHiddenLayers()) + ", expected a window only; load without MTP");
        }
    }

    /** @throws RequestException if steps are too short for two parts */
    static void refuseBounds(LoadOptions options, ContextInputs inputs) {
        int least = 2 * ContextCuts.BLOCK * leastBlocks(options, inputs);
        if (options.maxTokens() < least) {
            throw new RequestException("prompts spread over ranks: found maxTokens=" + options.maxTokens()
                    + ", expected at least " + least + ": every rank computes two parts in a step; load with a larger"
                    + " maxTokens");
        }
    }

    /** The MTP block's window must lie in the last part, which lacks its last row until the next token is known. */
    private static int leastBlocks(LoadOptions options, ContextInputs inputs) {
        return Math.max(1, Math.ceilDiv(inputs.leastPart(), ContextCuts.BLOCK)) + (options.mtp() ? 1 : 0);
    }

    /** How many of the tokens that follow are worth a step of all ranks, 0 for none. */
    int tokens(int position, int left) {
        int n = Math.min(left, ContextCuts.longest(group.size(), options.maxTokens()));
        boolean whole = position % ContextCuts.BLOCK == 0;
        return whole && Math.ceilDiv(n, ContextCuts.BLOCK) >= 2 * group.size() * leastBlocks ? n : 0;
    }

    /**
     * Leads a stretch.
     *
     * @param session with pages for it
     * @param continuing whether the others have what lies before it
     * @return the wanted logits
     */
    float[][] lead(ContextCuts cuts, Session session, int[] ids, Feed.Want want, boolean continuing) {
        try {
            return leadOn(cuts, session, ids, want, continuing);
        } finally {
            scratch.release(); // a long history is not carried on
        }
    }

    private float[][] leadOn(ContextCuts cuts, Session session, int[] ids, Feed.Want want, boolean continuing) {
        int spare = options.maxSequences();
        Places places = new Places(session.slot(), spare, spare + 2, session::page);
        MemorySegment bytes = scratch.bytes((long) Integer.BYTES * ids.length);
        MemorySegment.copy(ids, 0, bytes, I32, 0, ids.length);
        group.broadcast(WHAT, bytes, cuts.leader());
        if (!continuing) {
            shareHistory(cuts, places);
        }
        boolean last = want == Feed.Want.LAST;
        run(cuts, ids, places, want == Feed.Want.ALL, last ? 1 : 0);
        runner.copySlot(spare, session.slot());
        return want == Feed.Want.ALL ? collect(cuts) : runner.logits();
    }

    /** Computes this rank's parts of another rank's stretch. */
    void follow(ContextCuts cuts, boolean all, boolean continuing) {
        try {
            followOn(cuts, all, continuing);
        } finally {
            scratch.release();
        }
    }

    private void followOn(ContextCuts cuts, boolean all, boolean continuing) {
        int spare = options.maxSequences();
        Places places = new Places(spare, spare + 1, spare + 2, i -> options.pages() + i);
        MemorySegment bytes = scratch.bytes((long) Integer.BYTES * cuts.tokens());
        group.broadcast(WHAT, bytes, cuts.leader());
        int[] ids = bytes.toArray(I32);
        if (!continuing) {
            shareHistory(cuts, places);
        }
        run(cuts, ids, places, all, 0);
        if (all) {
            float[] flat = runner.execution().floats(V4Graphs.LOGITS);
            MemorySegment rows = scratch.bytes((long) Float.BYTES * flat.length);
            MemorySegment.copy(flat, 0, rows, ValueLayout.JAVA_FLOAT, 0, flat.length);
            group.send(WHAT, rows, cuts.leader());
        }
    }

    private record Places(int first, int second, int spareSlot, IntUnaryOperator pages)
            implements ContextInputs.Places {
        @Override
        public int slot(int index) {
            return index == 0 ? first : second;
        }

        @Override
        public int page(int index) {
            return pages.applyAsInt(index);
        }
    }

    /** Gives the others the cache pages before the stretch. */
    private void shareHistory(ContextCuts cuts, Places places) {
        int pages = cuts.start() / ContextCuts.BLOCK;
        boolean leads = group.rank() == cuts.leader();
        for (StatePlan.Row cache :
                pages == 0 ? List.<StatePlan.Row>of() : runner.plan().caches()) {
            MemorySegment all = scratch.bytes(pages * cache.bytes());
            for (int i = 0; leads && i < pages; i++) {
                runner.states().read(cache.name(), places.page(i), all.asSlice(i * cache.bytes(), cache.bytes()));
            }
            group.broadcast(WHAT, all, cuts.leader());
            for (int i = 0; !leads && i < pages; i++) {
                runner.states().write(cache.name(), places.page(i), all.asSlice(i * cache.bytes(), cache.bytes()));
            }
        }
    }

    /** @param last how many of the last rows' logits are wanted if not all are */
    private void run(ContextCuts cuts, int[] ids, Places places, boolean all, int last) {
        runner.begin();
        add(cuts, cuts.first(group.rank()), ids, places, 0, all, 0);
        add(cuts, cuts.second(group.rank()), ids, places, 1, all, last);
        inputs.feed(runner.execution(), cuts, group.rank(), places);
        runner.run(MemorySegment.NULL);
    }

    private void add(ContextCuts cuts, int part, int[] ids, Places places, int index, boolean all, int last) {
        int from = cuts.from(part);
        int end = cuts.from(part + 1);
        int pages = LoadOptions.pagesOf(end);
        runner.add(
                places.slot(index),
                pages,
                places::page,
                from,
                ids,
                from - cuts.start(),
                end - from,
                all ? end - from : last);
    }

    /** The logits of all rows in the order of the prompt. */
    private float[][] collect(ContextCuts cuts) {
        float[][] rows = new float[cuts.tokens()][];
        float[][] mine = runner.logits();
        int vocabulary = mine[0].length;
        for (int r = 0; r < group.size(); r++) {
            List<Integer> places = new ArrayList<>();
            for (int part : new int[] {cuts.first(r), cuts.second(r)}) {
                for (int p = cuts.from(part); p < cuts.from(part + 1); p++) {
                    places.add(p - cuts.start());
                }
            }
            MemorySegment theirs = MemorySegment.NULL;
            if (r != group.rank()) {
                theirs = scratch.bytes((long) Float.BYTES * vocabulary * places.size());
                group.receive(WHAT, theirs, r);
            }
            for (int i = 0; i < places.size(); i++) {
                float[] row = r == group.rank() ? mine[i] : new float[vocabulary];
                if (r != group.rank()) {
                    long at = (long) Float.BYTES * vocabulary * i;
                    MemorySegment.copy(theirs, ValueLayout.JAVA_FLOAT, at, row, 0, vocabulary);
                }
                rows[places.get(i)] = row;
            }
        }
        return rows;
    }

    /** Runs the steps, on the backbone's states. */
    StepRunner runner() {
        return runner;
    }

    @Override
    public void close() {
        runner.close();
    }
}
