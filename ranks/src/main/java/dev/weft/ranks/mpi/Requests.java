package dev.weft.ranks.mpi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** Requests of one call that are not done, each with the rank at its other end. Reused from call to call. */
final class Requests {
    /** A request that is no receive: nothing to compare when it is done. */
    static final int NO_SIZE = -1;

    /** A request of all ranks of the group. */
    static final int ALL = -1;

    private static final long SLOT = ValueLayout.JAVA_LONG.byteSize();

    private MemorySegment slots = MemorySegment.NULL;
    private int[] peers = new int[0];
    private int[] sizes = new int[0];
    private int count;

    /** Address of the place of one more request. It stays until the process ends: after a failure the library may still write. */
    long add(int peer, int size) {
        if (count == peers.length) {
            int room = Math.max(16, 2 * count);
            MemorySegment more = Arena.global().allocate(room * SLOT, SLOT);
            MemorySegment.copy(slots, 0, more, 0, count * SLOT);
            slots = more;
            peers = Arrays.copyOf(peers, room);
            sizes = Arrays.copyOf(sizes, room);
        }
        peers[count] = peer;
        sizes[count] = size;
        slots.setAtIndex(ValueLayout.JAVA_LONG, count, 0);
        return address(count++);
    }

    int count() {
        return count;
    }

    MemorySegment slot(int i) {
        return slots.asSlice(i * SLOT, SLOT);
    }

    long address(int i) {
        return slots.address() + i * SLOT;
    }

    /** Rank in the group, or {@link #ALL}. */
    int peer(int i) {
        return peers[i];
    }

    /** Bytes that a receive expects, or {@link #NO_SIZE}. */
    int size(int i) {
        return sizes[i];
    }

    void clear() {
        count = 0;
    }
}
