package dev.weft.model;

import dev.weft.DeviceMemoryException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Who holds which ring slot and which cache pages, and how they move: the states of all sequences of a model. A step's
 * pages are given out all or none. Used under the model's lock.
 */
final class SequenceStates {
    private final LoadOptions options;
    /** The backbone's, then the MTP block's if there is one. */
    private final List<StepRunner> runners;

    private final PagePool pool;
    private final RingMemory ringMemory;
    private final long pageBytes;
    private final Deque<Integer> freeSlots = new ArrayDeque<>();
    private final List<PageHolder> holders = new ArrayList<>();
    /** The MTP block runs one row behind the backbone; if it has caches, that row is written to them. */
    private final int behind;

    /** Keeps pages for later use and can do without them. */
    interface PageHolder {
        /** Whether it holds anything. */
        boolean holdsAny();

        /** Gives back what is least worth keeping. */
        void giveWay();

        /** How many references to a page it has. */
        int holds(int page);
    }

    SequenceStates(LoadOptions options, List<StepRunner> runners) {
        this.options = options;
        this.runners = List.copyOf(runners);
        this.pool = new PagePool(options.pages());
        this.ringMemory = new RingMemory(
                runners.stream().mapToLong(r -> r.plan().ringBytes()).sum());
        this.pageBytes = runners.stream().mapToLong(r -> r.plan().pageBytes()).sum();
        this.behind = runners.size() > 1 && !runners.get(1).plan().caches().isEmpty() ? 1 : 0;
        for (int i = 0; i < options.maxSequences(); i++) {
            freeSlots.add(i);
        }
    }

    /** A slot for a new sequence. @throws DeviceMemoryException if as many are open as were planned for */
    int takeSlot() {
        Integer slot = freeSlots.poll();
        if (slot == null) {
            throw new DeviceMemoryException("sessions: all " + options.maxSequences()
                    + " are in use; close one, or load the model with a larger maxSequences");
        }
        return slot;
    }

    /** Takes back all that a session holds. */
    void release(Session session) {
        session.dropPages(0, pool);
        freeSlots.add(session.slot());
    }

    /** Takes back the pages behind a position. */
    void truncate(Session session, int position) {
        session.dropPages(LoadOptions.pagesOf(position), pool);
    }

    /**
     * Gives every session of a step pages of its own for the rows it appends.
     *
     * @throws DeviceMemoryException if there are not enough; nothing has changed then
     */
    void makeWritable(List<Feed> feeds) {
        require(feeds);
        for (int i = 0; i < feeds.size(); i++) {
            own(feeds.get(i).session(), end(feeds.get(i)));
        }
    }

    /** Gives a session pages of its own for a row that it runs again. */
    void makeWritable(Session session) {
        if (behind > 0) {
            makeWritable(List.of(new Feed(session, new int[0], Feed.Want.NONE)));
        }
    }

    /** Refuses a step, or a prefill of many, that would run out of pages. */
    void require(List<Feed> feeds) {
        if (needed(feeds, Holders.STAY) > pool.free()) {
            requireFree(needed(feeds, Holders.GONE), freeable()); // before anything is given back in vain
            while (needed(feeds, Holders.STAY) > pool.free()) {
                giveWay();
            }
        }
    }

    /** Refuses a step for whose pages somebody else would have to give way. */
    void requireUnused(List<Feed> feeds) {
        requireFree(needed(feeds, Holders.STAY), pool.free());
    }

    /** Refuses to compute a session again up to a position if the pages that it gives back are too few. */
    void requireReplay(Session session, int position) {
        int needed = LoadOptions.pagesOf(position);
        requireFree(needed, freeable() + unshared(session, Holders.GONE));
        while (needed > pool.free() + unshared(session, Holders.STAY)) {
            giveWay();
        }
    }

    private void requireFree(int needed, int free) {
        if (needed > free) {
            throw new DeviceMemoryException("cache pages: found " + free + " free of " + pool.size() + ", expected "
                    + needed + "; close or truncate sessions, or load the model with more cachePages");
        }
    }

    /** Whether those who can do without their pages are counted. */
    private enum Holders {
        STAY,
        GONE
    }

    private int references(int page, Holders holders) {
        return pool.references(page) - (holders == Holders.GONE ? holds(page) : 0);
    }

    private int holds(int page) {
        int holds = 0;
        for (int i = 0; i < holders.size(); i++) {
            holds += holders.get(i).holds(page);
        }
        return holds;
    }

    /** Pages that are free or would be if all gave way. */
    private int freeable() {
        int count = 0;
        for (int page = 0; page < pool.size(); page++) {
            count += references(page, Holders.GONE) == 0 ? 1 : 0;
        }
        return count;
    }

    private void giveWay() {
        for (PageHolder h : holders) {
            if (h.holdsAny()) {
                h.giveWay();
                return;
            }
        }
        throw new AssertionError("pages are short although nobody can give way");
    }

    private int needed(List<Feed> feeds, Holders who) {
        int needed = 0;
        for (int f = 0; f < feeds.size(); f++) {
            Session s = feeds.get(f).session();
            int pages = LoadOptions.pagesOf(end(feeds.get(f)));
            for (int i = firstWritten(s); i < Math.min(pages, s.pageCount()); i++) {
                needed += isSharedAfter(feeds, f, i, who) ? 1 : 0;
            }
            needed += Math.max(0, pages - s.pageCount());
        }
        return needed;
    }

    /** Whether page {@code i} of a feed's session is still shared once the feeds before it have copies of their own. */
    private boolean isSharedAfter(List<Feed> feeds, int f, int i, Holders who) {
        int page = feeds.get(f).session().page(i);
        int references = references(page, who);
        for (int e = 0; e < f && references > 1; e++) {
            Session s = feeds.get(e).session();
            boolean copies = i >= firstWritten(s) && i < s.pageCount() && s.page(i) == page;
            references -= copies ? 1 : 0;
        }
        return references > 1;
    }

    private void own(Session s, int end) {
        int pages = LoadOptions.pagesOf(end);
        for (int i = firstWritten(s); i < pages; i++) {
            if (i >= s.pageCount()) {
                s.setPage(i, pool.allocate());
            } else if (pool.isShared(s.page(i))) {
                int shared = s.page(i);
                int own = pool.allocate();
                for (StepRunner r : runners) {
                    r.copyPage(shared, own);
                }
                pool.release(shared);
                s.setPage(i, own);
            }
        }
    }

    private int firstWritten(Session s) {
        return Math.max(0, s.position() - behind) / LoadOptions.PAGE_TOKENS;
    }

    private static int end(Feed f) {
        return f.session().position() + f.tokens().length;
    }

    /** Makes an empty session a copy of another; pages are shared. */
    void fork(Session from, Session to) {
        runners.forEach(r -> r.copySlot(from.slot(), to.slot()));
        share(from.pages(), to);
        to.resume(from.progress());
    }

    /** A copy of a session that outlives it; to be released. */
    Snapshot snapshot(Session session) {
        MemorySegment rings = ringMemory.take();
        try {
            long at = 0;
            for (StepRunner r : runners) {
                r.readRings(session.slot(), rings.asSlice(at, r.plan().ringBytes()));
                at += r.plan().ringBytes();
            }
        } catch (RuntimeException | Error e) {
            ringMemory.give(rings);
            throw e;
        }
        int[] pages = session.pages();
        for (int page : pages) {
            pool.retain(page);
        }
        return new Snapshot(session.progress(), rings, pages);
    }

    /** Makes an empty session what a snapshot was taken of. */
    void restore(Snapshot snapshot, Session to) {
        long at = 0;
        for (StepRunner r : runners) {
            r.writeRings(to.slot(), snapshot.rings().asSlice(at, r.plan().ringBytes()));
            at += r.plan().ringBytes();
        }
        share(snapshot.pages(), to);
        Progress p = snapshot.progress();
        to.resume(new Progress(
                p.tokens(), p.highWater(), p.mtpPosition(), p.hidden().copy()));
    }

    void release(Snapshot snapshot) {
        for (int page : snapshot.pages()) {
            pool.release(page);
        }
        ringMemory.give(snapshot.rings());
    }

    private void share(int[] pages, Session to) {
        for (int i = 0; i < pages.length; i++) {
            pool.retain(pages[i]);
            to.setPage(i, pages[i]);
        }
    }

    /** Lets pages be taken from a holder when sequences need them. */
    void add(PageHolder holder) {
        holders.add(holder);
    }

    void remove(PageHolder holder) {
        holders.remove(holder);
    }

    RingMemory ringMemory() {
        return ringMemory;
    }

    PagePool pool() {
        return pool;
    }

    /** Bytes of one page in all caches. */
    long pageBytes() {
        return pageBytes;
    }

    /** What a session holds. */
    SessionMemory memory(Session session) {
        long own = unshared(session, Holders.STAY);
        return new SessionMemory(
                ringMemory.bytes(),
                own * pageBytes,
                (session.pageCount() - own) * pageBytes,
                session.hidden().bytes(),
                session.listBytes());
    }

    /** Pages that only this session holds. */
    private int unshared(Session session, Holders who) {
        int count = 0;
        for (int i = 0; i < session.pageCount(); i++) {
            count += references(session.page(i), who) == 1 ? 1 : 0;
        }
        return count;
    }
}
