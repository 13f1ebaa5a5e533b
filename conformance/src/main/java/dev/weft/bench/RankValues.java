package dev.weft.bench;

import dev.weft.spi.Communicator;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** Numbers that every rank of a group has measured, brought together on all of them. */
final class RankValues {
    private RankValues() {}

    /** Per rank its values, of which all have equally many. */
    static double[][] all(Communicator group, double... mine) {
        MemorySegment send = Arena.ofAuto().allocateFrom(ValueLayout.JAVA_DOUBLE, mine);
        MemorySegment receive = Arena.ofAuto().allocate(group.size() * send.byteSize(), Double.BYTES);
        group.allGather("measured values", send, receive);
        double[][] all = new double[group.size()][];
        for (int r = 0; r < all.length; r++) {
            all[r] = receive.asSlice(r * send.byteSize(), send.byteSize()).toArray(ValueLayout.JAVA_DOUBLE);
        }
        return all;
    }

    /** Value by value the largest one of any rank: a step is done when its slowest rank is. */
    static double[] largest(Communicator group, double... mine) {
        double[][] all = all(group, mine);
        double[] most = all[0];
        for (double[] of : all) {
            Arrays.setAll(most, i -> Math.max(most[i], of[i]));
        }
        return most;
    }
}
