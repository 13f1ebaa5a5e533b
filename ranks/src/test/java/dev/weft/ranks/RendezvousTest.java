package dev.weft.ranks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CommunicatorException;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Ranks that meet over TCP, and what they do with strangers and absentees. */
class RendezvousTest {
    private static final Duration LONG = Duration.ofSeconds(30);

    private static Launch launch(int rank, int size, int port) {
        return new Launch(Launcher.VARIABLES, rank, size, -1, "127.0.0.1", port, Launcher.NONE);
    }

    private static int freePort() throws IOException {
        try (ServerSocket server = new ServerSocket(0)) {
            return server.getLocalPort();
        }
    }

    /** Also the largest and the empty contribution, and strangers who say nothing, nonsense, or a wrong size. */
    @Test
    void allReceiveAll() throws Exception {
        int port = freePort();
        List<Socket> strangers = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<List<byte[]>> first = threads.submit(() -> Rendezvous.exchange(launch(0, 3, port), part(0), LONG));
            for (long[] says : new long[][] {{}, {0x474554202f204854L}, {0x5745465400000001L, 1L << 32 | 9, 0}}) {
                Socket stranger = connect(port);
                strangers.add(stranger);
                for (long word : says) {
                    new DataOutputStream(stranger.getOutputStream()).writeLong(word);
                }
            }
            Future<List<byte[]>> second = threads.submit(() -> Rendezvous.exchange(launch(1, 3, port), part(1), LONG));
            Future<List<byte[]>> third = threads.submit(() -> Rendezvous.exchange(launch(2, 3, port), part(2), LONG));
            for (Future<List<byte[]>> rank : List.of(first, second, third)) {
                assertThat(rank.get()).containsExactly(part(0), part(1), part(2));
            }
        }
        for (Socket stranger : strangers) {
            stranger.close();
        }
    }

    private static byte[] part(int rank) {
        byte[] all = new byte[new int[] {Rendezvous.MAX_BYTES, 0, 128}[rank]];
        Arrays.fill(all, (byte) (rank + 1));
        return all;
    }

    private static Socket connect(int port) throws Exception {
        for (int i = 0; i < 300; i++) {
            try {
                return new Socket(InetAddress.getByName("127.0.0.1"), port);
            } catch (IOException e) {
                Thread.sleep(10);
            }
        }
        throw new AssertionError("rank 0 does not listen");
    }

    @Test
    void whoDoesNotComeIsNamed() throws Exception {
        int port = freePort();
        Duration brief = Duration.ofMillis(600);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> zero = threads.submit(() -> Rendezvous.exchange(launch(0, 3, port), part(2), brief));
            Future<?> two = threads.submit(() -> Rendezvous.exchange(launch(2, 3, port), part(2), brief));
            assertThatThrownBy(zero::get)
                    .hasCauseInstanceOf(CommunicatorException.class)
                    .hasMessageContaining("rank 0 of 3")
                    .hasMessageContaining("ranks [1] did not come within 600 ms");
            assertThatThrownBy(two::get)
                    .hasCauseInstanceOf(CommunicatorException.class)
                    .hasMessageContaining("rank 0 did not answer within 600 ms");
        }
    }

    @Test
    void addressAndSizeAreRequired() {
        Launch nowhere = new Launch(Launcher.VARIABLES, 0, 2, -1, null, 0, Launcher.NONE);
        assertThatThrownBy(() -> Rendezvous.exchange(nowhere, new byte[0], LONG))
                .isInstanceOf(LaunchException.class)
                .hasMessageContaining("MASTER_ADDR and MASTER_PORT");
        assertThatThrownBy(() -> Rendezvous.exchange(nowhere, new byte[Rendezvous.MAX_BYTES + 1], LONG))
                .isInstanceOf(LaunchException.class)
                .hasMessageContaining("at most 65536");
        assertThat(Rendezvous.exchange(Launch.alone(), new byte[] {7}, LONG)).containsExactly(new byte[] {7});
    }

    /** As they do when devices are joined: the port is free again, and nobody comes to the exchange before. */
    @Test
    void theyMeetAgainAtOnce() throws Exception {
        int port = freePort();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Integer>> ranks = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                Launch launch = launch(i, 3, port);
                ranks.add(threads.submit(() -> {
                    for (int round = 0; round < 10; round++) {
                        byte[] mine = {(byte) launch.rank(), (byte) round};
                        List<byte[]> all = Rendezvous.exchange(launch, mine, LONG);
                        assertThat(all.getLast()).containsExactly(2, round);
                    }
                    return launch.rank();
                }));
            }
            for (int i = 0; i < 3; i++) {
                assertThat(ranks.get(i).get()).isEqualTo(i);
            }
        }
    }
}
