package dev.weft.ranks.mpi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.RequestException;
import dev.weft.spi.Communicator;
import dev.weft.spi.Pieces;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;

/** Every operation of a communicator, byte by byte; all ranks call it. */
final class MpiContent {
    private static final int[] SIZES = {0, 1, 63, 4096, 300_001};

    private MpiContent() {}

    static void check(Communicator world) {
        operations(world);
        groups(world);
        arguments(world);
        world.step(2);
        world.barrier("end");
        assertThat(world.isUnderWay()).isFalse();
    }

    private static void operations(Communicator c) {
        c.barrier("start");
        for (int bytes : SIZES) {
            allGather(c, bytes);
            allToAllV(c, bytes);
            exchange(c, bytes);
            ring(c, bytes);
            for (int root = 0; root < c.size(); root++) {
                MemorySegment data = pattern(c.rank() == root ? root : 99, 0, bytes);
                c.broadcast("test", data, root);
                same(data, pattern(root, 0, bytes));
            }
        }
    }

    private static void allGather(Communicator c, int bytes) {
        MemorySegment received = Arena.ofAuto().allocate((long) c.size() * bytes);
        c.allGather("test", pattern(c.rank(), 0, bytes), received);
        for (int i = 0; i < c.size(); i++) {
            same(received.asSlice((long) i * bytes, bytes), pattern(i, 0, bytes));
        }
    }

    /** Rank i sends rank j {@code bytes + 3 i + j} bytes, but none to the rank after it; places are in reverse order. */
    private static void allToAllV(Communicator c, int bytes) {
        int size = c.size();
        long room = bytes + 4L * size;
        MemorySegment send = Arena.ofAuto().allocate(room * size);
        MemorySegment receive = Arena.ofAuto().allocate(room * size).fill((byte) 0x55);
        long[] sendBytes = new long[size];
        long[] receiveBytes = new long[size];
        long[] sendOffsets = new long[size];
        long[] receiveOffsets = new long[size];
        for (int i = 0; i < size; i++) {
            sendBytes[i] = size > 1 && i == (c.rank() + 1) % size ? 0 : bytes + 3L * c.rank() + i;
            receiveBytes[i] = size > 1 && c.rank() == (i + 1) % size ? 0 : bytes + 3L * i + c.rank();
            sendOffsets[i] = room * i;
            receiveOffsets[i] = room * (size - 1 - i);
            MemorySegment.copy(pattern(c.rank(), i, sendBytes[i]), 0, send, sendOffsets[i], sendBytes[i]);
        }
        c.allToAllV("test", send, sendBytes, sendOffsets, receive, receiveBytes, receiveOffsets);
        for (int i = 0; i < size; i++) {
            same(receive.asSlice(receiveOffsets[i], receiveBytes[i]), pattern(i, c.rank(), receiveBytes[i]));
            MemorySegment behind = receive.asSlice(receiveOffsets[i] + receiveBytes[i], room - receiveBytes[i]);
            same(behind, Arena.ofAuto().allocate(behind.byteSize()).fill((byte) 0x55));
        }
    }

    /** Rank i sends rank j {@code 17 (i + 1) + j} pieces, most of them small, each to a place by itself, in reverse order. */
    private static void exchange(Communicator c, int bytes) {
        int size = c.size();
        Pieces send = new Pieces(size);
        Pieces receive = new Pieces(size);
        List<MemorySegment> sent = new ArrayList<>();
        List<MemorySegment> received = new ArrayList<>();
        List<MemorySegment> expected = new ArrayList<>();
        for (int round = 0; round < 2; round++) { // the same lists once more
            send.clear();
            receive.clear();
            for (int r = 0; r < size; r++) {
                for (int n = 0; n < 17 * (c.rank() + 1) + r; n++) {
                    sent.add(pattern(c.rank() + n, r, n == 3 ? bytes : n));
                    send.add(r, sent.getLast().address(), sent.getLast().byteSize());
                }
                for (int n = 0; n < 17 * (r + 1) + c.rank(); n++) {
                    expected.add(pattern(r + n, c.rank(), n == 3 ? bytes : n));
                    received.add(Arena.ofAuto().allocate(expected.getLast().byteSize()));
                    receive.add(
                            r, received.getLast().address(), received.getLast().byteSize());
                }
            }
            c.exchange("test", send, receive);
            for (int i = 0; i < expected.size(); i++) {
                same(received.get(i), expected.get(i));
            }
            Reference.reachabilityFence(sent);
        }
    }

    private static void ring(Communicator c, int bytes) {
        if (c.size() == 1) {
            return;
        }
        int next = (c.rank() + 1) % c.size();
        int previous = (c.rank() + c.size() - 1) % c.size();
        MemorySegment received = Arena.ofAuto().allocate(bytes);
        if (c.rank() % 2 == 0) {
            c.send("ring", pattern(c.rank(), 1, bytes), next);
            c.receive("ring", received, previous);
        } else {
            c.receive("ring", received, previous);
            c.send("ring", pattern(c.rank(), 1, bytes), next);
        }
        same(received, pattern(previous, 1, bytes));
    }

    /** Odd and even ranks apart, the last first; negative colours too. */
    private static void groups(Communicator world) {
        try (Communicator half = world.split("half", -(world.rank() % 2), -world.rank())) {
            assertThat(half.name()).isEqualTo("half");
            assertThat(half.size()).isEqualTo((world.size() + 1 - world.rank() % 2) / 2);
            assertThat(half.rank()).isEqualTo(half.size() - 1 - world.rank() / 2);
            operations(half);
        }
        try (Communicator same = world.split("same", 7, 0)) {
            assertThat(same.rank()).isEqualTo(world.rank());
            operations(same);
            same.close();
        }
    }

    private static void arguments(Communicator c) {
        MemorySegment heap = MemorySegment.ofArray(new byte[4]);
        MemorySegment four = Arena.ofAuto().allocate(4);
        long[] wrong = new long[c.size() + 1];
        assertThatThrownBy(() -> c.broadcast("x", heap, 0)).isInstanceOf(RequestException.class);
        assertThatThrownBy(() -> c.broadcast("x", four, c.size())).isInstanceOf(RequestException.class);
        assertThatThrownBy(() -> c.allGather("x", four, Arena.ofAuto().allocate(4L * c.size() + 1)))
                .isInstanceOf(RequestException.class);
        assertThatThrownBy(() -> c.allToAllV("x", four, wrong, wrong, four, wrong, wrong))
                .isInstanceOf(RequestException.class);
    }

    private static MemorySegment pattern(int from, int to, long bytes) {
        MemorySegment data = Arena.ofAuto().allocate(bytes);
        for (long i = 0; i < bytes; i++) {
            data.set(ValueLayout.JAVA_BYTE, i, (byte) (from * 31 + to * 7 + i * (i >> 8) + i));
        }
        return data;
    }

    private static void same(MemorySegment found, MemorySegment expected) {
        assertThat(found.byteSize()).isEqualTo(expected.byteSize());
        assertThat(found.mismatch(expected)).isEqualTo(-1);
    }
}
