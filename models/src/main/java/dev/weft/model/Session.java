package dev.weft.model;

import dev.weft.ClosedException;
import dev.weft.RequestException;
import dev.weft.spi.Communicator;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * One sequence: its tokens and its share of the model's states. Appending tokens in one call, in chunks or one by one gives
 * the same bits. Sessions of one model may be used from several threads; steps run one after another.
 */
public final class Session implements AutoCloseable {
    private final DeepSeekV4 model;
    private final int slot;
    /** The step of {@link #append(int, float[])}, prepared once. */
    private final int[] oneToken = new int[1];

    private final List<Feed> oneFeed = List.of(new Feed(this, oneToken, Feed.Want.LAST));
    private int[] pages = new int[0];
    private int pageCount;
    private int[] tokens = new int[64];
    private int position;
    /** One past the highest position ever written to the rings: what lies further back than their size is gone. */
    private int highWater;
    /** Where the last step began. */
    private int stepFrom;
    /** MTP rows done: all positions below have run with their true next token. */
    private int mtpPosition;

    private HiddenRows hidden;
    private boolean closed;

    Session(DeepSeekV4 model, int slot, HiddenRows hidden) {
        this.model = model;
        this.slot = slot;
        this.hidden = hidden;
    }

    /** Number of tokens so far; the position of the next one. */
    public int position() {
        return position;
    }

    /** The tokens so far. */
    public int[] tokens() {
        return Arrays.copyOf(tokens, position);
    }

    /**
     * Appends tokens and returns the logits of the last one.
     *
     * @throws RequestException if there are none, too many for the context, or one is outside the vocabulary
     * @throws dev.weft.DeviceMemoryException if the cache pages do not suffice; nothing has been computed then
     */
    public float[] append(int... ids) {
        return append(ids, () -> false);
    }

    /**
     * Appends tokens, in chunks if they exceed {@link LoadOptions#maxTokens}, and returns the logits of the last one.
     *
     * @param cancelled asked before every chunk; must not wait
     * @throws dev.weft.CancelledException if {@code cancelled} said so; the session keeps the chunks that were computed
     * @throws RequestException if there are none, too many for the context, or one is outside the vocabulary
     * @throws dev.weft.DeviceMemoryException if the cache pages do not suffice; nothing has been computed then
     */
    public float[] append(int[] ids, BooleanSupplier cancelled) {
        float[][] rows = model.append(this, ids, Feed.Want.LAST, cancelled);
        return rows[rows.length - 1];
    }

    /**
     * Appends one token and writes its logits to the beginning of {@code logits}, at least as long as the vocabulary.
     * Decoding this way allocates nothing on the heap, except that the list of tokens grows.
     *
     * @throws RequestException if the context is full, the token outside the vocabulary, or the array too short
     */
    public void append(int token, float[] logits) {
        model.append(this, token, logits);
    }

    /**
     * Appends one token and chooses from its logits what the one row of {@code draws} asks for, on the device where that can
     * draw: {@link DeepSeekV4#step(List, Draws)}.
     *
     * @throws RequestException if the context is full, the token outside the vocabulary, or the rows are more or fewer
     */
    public void append(int token, Draws draws) {
        model.append(this, token, draws);
    }

    /** Appends tokens and returns the logits of all of them, {@code [tokens][vocabulary]}. */
    public float[][] appendAll(int... ids) {
        return model.append(this, ids, Feed.Want.ALL, () -> false);
    }

    /**
     * Predicts the token after {@code next} by the MTP block: its logits given that {@code next} follows. The session does
     * not advance.
     *
     * @throws RequestException if the model was loaded without MTP or the session is empty
     */
    public float[] draft(int next) {
        return model.draft(this, next);
    }

    /**
     * Forgets the tokens from {@code newPosition} on; the session is then as if they had never been appended. Going back by
     * at most the rollback of {@link LoadOptions} is immediate, further back computes the remaining tokens again.
     */
    public void truncate(int newPosition) {
        model.truncate(this, newPosition);
    }

    /** Forgets everything. */
    public void reset() {
        truncate(0);
    }

    /** A second session with the same tokens and states. Cache pages are shared until one of the two writes to them. */
    public Session fork() {
        return model.fork(this);
    }

    /**
     * Writes tokens and states to a file, from which {@link DeepSeekV4#loadSession} goes on with the same bits. The file is
     * there whole or not at all; one of the same name is replaced. Steps of this and other sessions may run meanwhile.
     *
     * @throws dev.weft.CheckpointException if it cannot be written
     */
    public void save(Path file) {
        model.save(this, file);
    }

    /**
     * Hands tokens and states to a rank that calls {@link DeepSeekV4#receiveSession}: there the sequence goes on with the
     * same bits. This session stays as it is. Steps of this and other sessions may run meanwhile.
     *
     * @param ranks the group; nobody else uses it meanwhile
     * @param to the rank that receives
     * @throws dev.weft.CommunicatorException if the other rank does not answer in time
     */
    public void send(Communicator ranks, int to) {
        model.send(this, ranks, to);
    }

    /** What the session holds now. */
    public SessionMemory memory() {
        return model.memory(this);
    }

    @Override
    public void close() {
        model.release(this);
    }

    // what follows is the model's book-keeping; all under its lock

    DeepSeekV4 model() {
        return model;
    }

    /** The prepared step that appends {@code token}. */
    List<Feed> feedOf(int token) {
        oneToken[0] = token;
        return oneFeed;
    }

    int slot() {
        return slot;
    }

    void requireOpen() {
        if (closed) {
            throw new ClosedException("session: used after close");
        }
    }

    boolean markClosed() {
        boolean first = !closed;
        closed = true;
        return first;
    }

    int pageCount() {
        return pageCount;
    }

    int page(int i) {
        return pages[i];
    }

    int[] pages() {
        return Arrays.copyOf(pages, pageCount);
    }

    void setPage(int i, int page) {
        if (i == pages.length) {
            pages = Arrays.copyOf(pages, Math.max(4, 2 * pages.length));
        }
        pages[i] = page;
        pageCount = Math.max(pageCount, i + 1);
    }

    /** Gives back pages from {@code from} on. */
    void dropPages(int from, PagePool pool) {
        for (int i = from; i < pageCount; i++) {
            pool.release(pages[i]);
        }
        pageCount = Math.min(pageCount, from);
    }

    /** Bytes of the lists of tokens and pages. */
    long listBytes() {
        return (long) Integer.BYTES * (tokens.length + pages.length);
    }

    int token(int i) {
        return tokens[i];
    }

    int highWater() {
        return highWater;
    }

    /** Says before a step how many rows it may write to the rings, whether it succeeds or not. */
    void reach(int count) {
        stepFrom = position;
        highWater = Math.max(highWater, position + count);
    }

    /** Takes back the tokens of a step that failed after the session had advanced. */
    void abandon() {
        if (position > stepFrom) {
            rewind(stepFrom);
        }
    }

    void advance(int[] ids) {
        if (position + ids.length > tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(2 * tokens.length, position + ids.length));
        }
        System.arraycopy(ids, 0, tokens, position, ids.length);
        position += ids.length;
    }

    void rewind(int newPosition) {
        position = newPosition;
        mtpPosition = Math.min(mtpPosition, Math.max(0, newPosition - 1));
    }

    /** Nothing is in the rings any more. */
    void forget() {
        position = 0;
        highWater = 0;
        mtpPosition = 0;
    }

    HiddenRows hidden() {
        return hidden;
    }

    int mtpPosition() {
        return mtpPosition;
    }

    void mtpAdvanced(int position) {
        mtpPosition = position;
    }

    /** All but rings and pages, as a copy. */
    Progress progress() {
        return new Progress(tokens(), highWater, mtpPosition, hidden.copy());
    }

    /** Goes on from there; the session was empty. */
    void resume(Progress progress) {
        tokens = Arrays.copyOf(progress.tokens(), Math.max(tokens.length, progress.position()));
        position = progress.position();
        highWater = progress.highWater();
        mtpPosition = progress.mtpPosition();
        hidden = progress.hidden();
    }
}
