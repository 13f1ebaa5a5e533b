package dev.weft.ranks;

import dev.weft.CommunicatorException;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A few bytes from every rank to every rank before there is a communicator: libraries of devices need an id from rank 0 to
 * begin. Rank 0 listens at the launch's leader and port, the others connect; all receive all bytes. Whoever connects and
 * is no rank of this launch is sent away; there is no secret, so the port must be reachable by the cluster alone.
 */
public final class Rendezvous {
    /** Most bytes that a rank may bring. */
    public static final int MAX_BYTES = 1 << 16;

    private static final Logger LOG = LoggerFactory.getLogger(Rendezvous.class);

    /** "WEFT" and the version of the exchange. */
    private static final long MAGIC = 0x5745_4654_0000_0001L;

    private static final int RETRY_MILLIS = 100;

    /** Connections at a time beyond one per rank: what is no rank must not use up memory. */
    private static final int STRANGERS = 16;

    private final Launch launch;
    private final String leader;
    private final long end;
    private final Duration deadline;

    private Rendezvous(Launch launch, String leader, Duration deadline) {
        this.launch = launch;
        this.leader = leader;
        this.deadline = deadline;
        this.end = System.nanoTime() + deadline.toNanos();
    }

    /**
     * Meets the other ranks once; called by all.
     *
     * @param mine what this rank brings, at most {@link #MAX_BYTES}
     * @return what all brought, in rank order
     * @throws LaunchException if no variable names leader and port
     * @throws CommunicatorException naming the ranks that did not come before the deadline
     */
    public static List<byte[]> exchange(Launch launch, byte[] mine, Duration deadline) {
        if (mine.length > MAX_BYTES) {
            throw new LaunchException("rendezvous: found " + mine.length + " bytes, expected at most " + MAX_BYTES);
        }
        if (!launch.isGroup()) {
            return List.of(mine.clone());
        }
        String leader = launch.leader();
        if (leader == null || launch.port() == 0) {
            throw new LaunchException(launch + ": found no address of rank 0, expected MASTER_ADDR"
                    + (launch.launcher() == Launcher.LEADER_WORKER_SET ? " or LWS_LEADER_ADDRESS" : "")
                    + " and MASTER_PORT; set them to a host and a free port of it, the same on all ranks");
        }
        Rendezvous rendezvous = new Rendezvous(launch, leader, deadline);
        return launch.rank() == 0 ? rendezvous.lead(mine) : rendezvous.follow(mine);
    }

    private List<byte[]> lead(byte[] mine) {
        @Nullable Socket[] sockets = new Socket[launch.size()];
        byte[][] brought = new byte[launch.size()][];
        brought[0] = mine.clone();
        CountDownLatch missing = new CountDownLatch(launch.size() - 1);
        Semaphore room = new Semaphore(launch.size() + STRANGERS);
        try (ServerSocket server = new ServerSocket()) {
            server.setReuseAddress(true);
            server.bind(new InetSocketAddress(launch.port()), launch.size() + STRANGERS);
            Thread acceptor = Thread.ofVirtual().start(() -> accept(server, room, sockets, brought, missing));
            if (!missing.await(remainingMillis(), TimeUnit.MILLISECONDS)) {
                throw late(sockets);
            }
            server.close(); // before a rank that has its answer comes again
            acceptor.interrupt();
            acceptor.join(); // who waits on it keeps the port
            for (int i = 1; i < sockets.length; i++) {
                answer(sockets[i], brought);
            }
            return List.of(brought);
        } catch (IOException e) {
            throw new CommunicatorException(
                    subject() + ": " + e.getMessage() + "; give a free port with MASTER_PORT", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommunicatorException(subject() + ": interrupted", e);
        } finally {
            synchronized (sockets) {
                Arrays.stream(sockets).forEach(Rendezvous::close);
            }
        }
    }

    /** Each newcomer is heard on a thread of its own, so that one who says nothing holds up nobody. */
    private void accept(
            ServerSocket server, Semaphore room, @Nullable Socket[] sockets, byte[][] brought, CountDownLatch missing) {
        try {
            while (true) {
                room.acquire();
                Socket socket = server.accept();
                Thread.ofVirtual().start(() -> {
                    if (!hear(socket, sockets, brought, missing)) {
                        close(socket);
                    }
                    room.release();
                });
            }
        } catch (IOException e) {
            LOG.debug("rendezvous: {}", e.getMessage()); // the server was closed: all have come, or it is too late
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** @return whether a rank has come; its connection stays open for the answer */
    private boolean hear(Socket socket, @Nullable Socket[] sockets, byte[][] brought, CountDownLatch missing) {
        try {
            socket.setSoTimeout(remainingMillis());
            DataInputStream in = new DataInputStream(socket.getInputStream());
            if (in.readLong() != MAGIC) {
                LOG.warn("rendezvous: {} is no rank of weft", socket.getRemoteSocketAddress());
                return false;
            }
            int rank = in.readInt();
            int size = in.readInt();
            int length = in.readInt();
            if (size != launch.size() || rank < 1 || rank >= size || length < 0 || length > MAX_BYTES) {
                LOG.error(
                        "rendezvous: {} says it is rank {} of {} with {} bytes, expected a rank of {}",
                        socket.getRemoteSocketAddress(),
                        rank,
                        size,
                        length,
                        launch.size());
                return false;
            }
            byte[] bytes = in.readNBytes(length);
            synchronized (sockets) {
                if (bytes.length < length || sockets[rank] != null) {
                    LOG.error(
                            "rendezvous: {} as rank {}, which has come already or has broken off",
                            socket.getRemoteSocketAddress(),
                            rank);
                    return false;
                }
                sockets[rank] = socket;
                brought[rank] = bytes;
            }
            missing.countDown();
            return true;
        } catch (IOException e) {
            LOG.debug("rendezvous: {}: {}", socket.getRemoteSocketAddress(), e.getMessage());
            return false;
        }
    }

    private static void answer(@Nullable Socket socket, byte[][] brought) throws IOException {
        if (socket == null) {
            throw new IOException("a rank has left");
        }
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        out.writeLong(MAGIC);
        for (byte[] bytes : brought) {
            out.writeInt(bytes.length);
            out.write(bytes);
        }
        out.flush();
    }

    private CommunicatorException late(@Nullable Socket[] sockets) {
        synchronized (sockets) {
            List<Integer> missing = IntStream.range(1, sockets.length)
                    .filter(i -> sockets[i] == null)
                    .boxed()
                    .toList();
            return new CommunicatorException(subject() + ": ranks " + missing + " did not come within "
                    + deadline.toMillis() + " ms; see whether they run and reach this host; raise the limit with -D"
                    + Ranks.DEADLINE_PROPERTY + "=SECONDS");
        }
    }

    private List<byte[]> follow(byte[] mine) {
        IOException last = new IOException("no connection");
        while (remainingMillis() > 1) {
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress(leader, launch.port()), remainingMillis());
                return tell(socket, mine);
            } catch (SocketTimeoutException e) {
                last = e;
            } catch (IOException e) {
                last = e; // rank 0 may not listen yet
                sleep();
            }
        }
        throw new CommunicatorException(
                subject() + ": rank 0 did not answer within " + deadline.toMillis() + " ms (" + last.getMessage()
                        + "); see whether it runs, listens there and has all ranks; raise the limit with -D"
                        + Ranks.DEADLINE_PROPERTY + "=SECONDS",
                last);
    }

    private List<byte[]> tell(Socket socket, byte[] mine) throws IOException {
        socket.setSoTimeout(remainingMillis());
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        out.writeLong(MAGIC);
        out.writeInt(launch.rank());
        out.writeInt(launch.size());
        out.writeInt(mine.length);
        out.write(mine);
        out.flush();
        DataInputStream in = new DataInputStream(socket.getInputStream());
        if (in.readLong() != MAGIC) {
            throw new IOException("whoever listens there is no rank of weft");
        }
        List<byte[]> all = new ArrayList<>();
        for (int i = 0; i < launch.size(); i++) {
            int length = in.readInt();
            if (length < 0 || length > MAX_BYTES) {
                throw new IOException("rank 0 announces " + length + " bytes of rank " + i);
            }
            all.add(in.readNBytes(length));
        }
        return all;
    }

    private String subject() {
        return "rendezvous of " + launch + " at " + leader + ":" + launch.port();
    }

    /** At least one: zero would mean for ever. */
    private int remainingMillis() {
        return (int) Math.clamp((end - System.nanoTime()) / 1_000_000, 1, Integer.MAX_VALUE);
    }

    private static void sleep() {
        try {
            Thread.sleep(RETRY_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommunicatorException("rendezvous: interrupted", e);
        }
    }

    private static void close(@Nullable Socket socket) {
        try {
            if (socket != null) {
                socket.close();
            }
        } catch (IOException e) {
            LOG.debug("rendezvous: {}", e.getMessage());
        }
    }
}
