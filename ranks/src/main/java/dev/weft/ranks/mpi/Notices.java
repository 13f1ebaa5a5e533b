package dev.weft.ranks.mpi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What ranks that wait long tell the others once a period: in which call. When a deadline passes, a rank so knows who waits
 * as it does, who waits elsewhere, and who says nothing. Costs nothing while nobody waits.
 */
final class Notices {
    /** A rank that waits tells so this often. */
    static final long PERIOD_NANOS = 1_000_000_000;

    private static final int BYTES = 256;
    private static final int TAG = 7;

    private final MpiLibrary library;
    private final Mpi mpi;
    private final long comm;
    private final int rank;
    private final int size;
    private final MemorySegment flag = Arena.global().allocate(ValueLayout.JAVA_INT);
    private final MemorySegment status = Arena.global().allocate(MpiWorld.STATUS_BYTES, 8);
    private final MemorySegment incoming = Arena.global().allocate(BYTES, 8);
    private final MemorySegment outgoing;
    private final Requests sending = new Requests();
    private final boolean[] busy;
    private Map<Integer, String> recent = new HashMap<>();
    private Map<Integer, String> before = new HashMap<>();

    /** @param comm a communicator of all ranks that nobody else uses */
    Notices(MpiLibrary library, long comm, int rank, int size) {
        this.library = library;
        this.mpi = library.calls();
        this.comm = comm;
        this.rank = rank;
        this.size = size;
        this.outgoing = Arena.global().allocate((long) size * BYTES, 8);
        this.busy = new boolean[size];
        for (int i = 0; i < size; i++) {
            sending.add(i, Requests.NO_SIZE);
        }
    }

    /** Starts a period: what was told before the last one is forgotten. */
    synchronized void period(String call) {
        read();
        before = recent;
        recent = new HashMap<>();
        for (int to = 0; to < size; to++) {
            if (to != rank && !isSending(to)) {
                MemorySegment text = outgoing.asSlice((long) to * BYTES, BYTES).fill((byte) 0);
                encode(call, text);
                sending.slot(to).set(ValueLayout.JAVA_LONG, 0, 0);
                int code = mpi.MPI_Isend(
                        text.address(), BYTES, library.abi().bytes(), to, TAG, comm, sending.address(to));
                busy[to] = code == 0;
            }
        }
    }

    private boolean isSending(int to) {
        if (busy[to]) {
            int code = mpi.MPI_Test(sending.address(to), flag, status);
            busy[to] = code == 0 && flag.get(ValueLayout.JAVA_INT, 0) == 0;
        }
        return busy[to];
    }

    /** Whether something that was told is still on its way. */
    synchronized boolean isSending() {
        boolean any = false;
        for (int to = 0; to < size; to++) {
            any |= isSending(to);
        }
        return any;
    }

    /** Takes what has arrived, so that it does not pile up. */
    synchronized void read() {
        for (int from = 0; from < size; from++) {
            while (from != rank && hasArrived(from)) {
                if (mpi.MPI_Recv(incoming, BYTES, library.abi().bytes(), from, TAG, comm, status) != 0) {
                    break;
                }
                recent.put(from, incoming.getString(0));
            }
        }
    }

    private boolean hasArrived(int from) {
        flag.set(ValueLayout.JAVA_INT, 0, 0);
        return mpi.MPI_Iprobe(from, TAG, comm, flag, status) == 0 && flag.get(ValueLayout.JAVA_INT, 0) != 0;
    }

    /** In which call a rank said lately that it waits, null if it said nothing. */
    synchronized @Nullable String lately(int of) {
        String text = recent.get(of);
        return text == null ? before.get(of) : text;
    }

    /** What arrives of a call's text: as many whole characters as there is room for. */
    static String shortened(String call) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(BYTES);
            encode(call, text);
            return text.getString(0);
        }
    }

    /** The last byte stays zero. */
    private static void encode(String call, MemorySegment text) {
        CharsetEncoder encoder = StandardCharsets.UTF_8.newEncoder().onMalformedInput(CodingErrorAction.REPLACE);
        ByteBuffer room = text.asSlice(0, BYTES - 1L).asByteBuffer();
        encoder.encode(CharBuffer.wrap(call.replace('\0', ' ')), room, true);
    }
}
