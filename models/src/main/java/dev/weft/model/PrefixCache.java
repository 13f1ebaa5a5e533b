package dev.weft.model;

import dev.weft.ClosedException;
import dev.weft.RequestException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Remembers sequences at some positions, so that a prompt which begins like an earlier one starts where the two part. What
 * is remembered is all of a sequence's state or nothing: its pages stay on the device and are shared, its rings are copied
 * to the host, because they are valid at one position only and a slot on the device would take their room for good. A hit
 * gives the same bits as computing the prompt from its beginning.
 *
 * <p>A sequence is remembered at the end of its prompt, where a prompt left another one's path, at every {@code stride}
 * tokens, and wherever {@link #remember} is called, for example at the end of an answer. A remembered position also serves
 * prompts that part from it up to {@link LoadOptions#rollback} tokens earlier.
 *
 * <p>The least recently used gives way when the cache exceeds its bytes, and when sequences need its pages. Thread-safe;
 * close it before the model.
 */
public final class PrefixCache implements AutoCloseable {
    /** What a stop on the way must save at least, in tokens: copying rings costs about as much as computing a few. */
    private static final int LEAST_GAIN = 32;

    private final DeepSeekV4 model;
    private final long maxBytes;
    private final int stride;
    private final long pageBytes;
    /** Least recently used first. */
    private final List<Snapshot> entries = new ArrayList<>();
    /** How many entries hold each page. */
    private final int[] pageHolds;

    private final Holder holder = new Holder();
    private int pages;
    private long hostBytes;
    private long lookups;
    private long hits;
    private long hitTokens;
    private boolean closed;

    /**
     * What a cache holds and how it did.
     *
     * @param entries remembered positions
     * @param bytes bytes held: copies of rings on the host and pages on the device, shared pages once
     * @param pages pages held
     * @param lookups prompts begun
     * @param hits prompts that began with something remembered
     * @param hitTokens tokens that were not computed
     */
    public record Stats(int entries, long bytes, int pages, long lookups, long hits, long hitTokens) {}

    /**
     * An empty cache.
     *
     * @param maxBytes most bytes it may hold, on the host and in pages
     * @param stride tokens between positions that are remembered on the way through a prompt, 1 or more
     * @throws RequestException if the rings of one sequence exceed {@code maxBytes}
     */
    public PrefixCache(DeepSeekV4 model, long maxBytes, int stride) {
        this.model = model;
        this.maxBytes = maxBytes;
        this.stride = stride;
        ModelMemory memory = model.memory();
        if (maxBytes < memory.ringsPerSession() || stride < 1) {
            throw new RequestException("prefix cache: found maxBytes=" + maxBytes + " and stride=" + stride
                    + ", expected at least " + memory.ringsPerSession() + ", the rings of one sequence, and 1");
        }
        this.pageBytes = memory.page();
        this.pageHolds = new int[memory.pages()];
        model.addHolder(holder);
    }

    /**
     * A new session that begins with the longest remembered prefix of a prompt, at most all but its last token. The rest of
     * the prompt is to be appended through what is returned.
     *
     * @throws RequestException if the prompt is empty
     * @throws dev.weft.DeviceMemoryException if no session is free
     */
    public Prefill begin(int... prompt) {
        synchronized (model) {
            requireOpen();
            if (prompt.length == 0) {
                throw new RequestException("prompt: found no token, expected one or more");
            }
            Snapshot source = null;
            int hit = 0;
            int branch = 0;
            for (Snapshot e : entries) {
                int common = common(e, prompt);
                branch = Math.max(branch, common);
                int usable = Math.min(common, prompt.length - 1);
                if (usable > hit && usable >= e.progress().lowest(model.options())) {
                    hit = usable;
                    source = e;
                }
            }
            Session session = source == null ? model.newSession() : model.newSession(source);
            session.truncate(hit);
            lookups++;
            if (source != null) {
                hits++;
                hitTokens += hit;
                touch(source);
            }
            boolean branches = branch >= hit + LEAST_GAIN;
            return new Prefill(this, session, prompt, branches ? branch : 0);
        }
    }

    private static int common(Snapshot e, int[] tokens) {
        int[] known = e.progress().tokens();
        int at = Arrays.mismatch(known, tokens);
        return at < 0 ? known.length : at;
    }

    /**
     * Remembers a session as it is now.
     *
     * @return whether it is remembered: not if it is empty, or alone exceeds the bytes of the cache
     */
    public boolean remember(Session session) {
        synchronized (model) {
            requireOpen();
            if (session.model() != model) {
                throw new RequestException("prefix cache: found a session of another model");
            }
            SessionMemory memory = session.memory();
            int[] tokens = session.tokens();
            for (Snapshot e : entries) {
                if (Arrays.equals(e.progress().tokens(), tokens)) {
                    touch(e);
                    return true;
                }
            }
            long host = memory.rings() + memory.streams() + (long) Integer.BYTES * tokens.length;
            if (tokens.length == 0 || host + session.pageCount() * pageBytes > maxBytes) {
                return false;
            }
            while (bytes() + host + newPages(session) * pageBytes > maxBytes) {
                forget(entries.getFirst());
            }
            add(model.snapshot(session));
            return true;
        }
    }

    private int newPages(Session session) {
        int count = 0;
        for (int i = 0; i < session.pageCount(); i++) {
            count += pageHolds[session.page(i)] == 0 ? 1 : 0;
        }
        return count;
    }

    private void add(Snapshot s) {
        entries.add(s);
        hostBytes += s.hostBytes();
        for (int page : s.pages()) {
            pages += pageHolds[page]++ == 0 ? 1 : 0;
        }
    }

    private void forget(Snapshot s) {
        entries.remove(s);
        hostBytes -= s.hostBytes();
        for (int page : s.pages()) {
            pages -= --pageHolds[page] == 0 ? 1 : 0;
        }
        model.release(s);
    }

    private void touch(Snapshot s) {
        entries.remove(s);
        entries.add(s);
    }

    private long bytes() {
        return hostBytes + pages * pageBytes;
    }

    /** What the model takes pages back by. */
    private final class Holder implements SequenceStates.PageHolder {
        @Override
        public boolean holdsAny() {
            return !entries.isEmpty();
        }

        @Override
        public void giveWay() {
            forget(entries.getFirst());
        }

        @Override
        public int holds(int page) {
            return pageHolds[page];
        }
    }

    /** Tokens between positions that are remembered on the way. */
    int stride() {
        return stride;
    }

    /** What it holds and how it did. */
    public Stats stats() {
        synchronized (model) {
            return new Stats(entries.size(), bytes(), pages, lookups, hits, hitTokens);
        }
    }

    /** Forgets everything. */
    public void clear() {
        synchronized (model) {
            while (!entries.isEmpty()) {
                forget(entries.getFirst());
            }
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new ClosedException("prefix cache: used after close");
        }
    }

    /** Forgets everything and gives the pages back. */
    @Override
    public void close() {
        synchronized (model) {
            closed = true;
            clear();
            model.removeHolder(holder);
        }
    }
}
