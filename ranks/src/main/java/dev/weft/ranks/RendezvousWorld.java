package dev.weft.ranks;

import dev.weft.spi.Communicator;
import dev.weft.spi.support.RankArguments;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ranks that nothing but variables started: a few bytes travel by {@link Rendezvous} until the library of their devices joins
 * them. No work is done over it.
 */
final class RendezvousWorld implements Communicator {
    private static final Logger LOG = LoggerFactory.getLogger(RendezvousWorld.class);

    private final Launch launch;
    private final Duration deadline;

    /** @throws LaunchException if no variable says where rank 0 is, or a rank table is wrong */
    RendezvousWorld(Launch launch, Duration deadline) {
        this.launch = launch;
        this.deadline = deadline;
        if (launch.leader() == null || launch.port() == 0) {
            throw noTransport();
        }
        // refused before anybody is waited for: work is done by devices, which are joined by the table if there is one
        RankTable.of(System.getenv()).ifPresent(table -> table.requireSame(rank(), size()));
    }

    /** What to say where work would need a transport. */
    LaunchException noTransport() {
        return new LaunchException(
                launch + ": found no transport, expected one of Open MPI, MPICH or Slurm, for on CPUs ranks"
                        + " talk through MPI: start them with mpirun, mpiexec or srun --mpi=pmix; or a device whose library joins"
                        + " ranks (ascend, cuda), with MASTER_ADDR and MASTER_PORT set to a host and a free port of it on all ranks");
    }

    @Override
    public String name() {
        return "world";
    }

    @Override
    public int rank() {
        return launch.rank();
    }

    @Override
    public int size() {
        return launch.size();
    }

    @Override
    public String transport() {
        return "rendezvous over TCP";
    }

    @Override
    public void step(long number) {
        // no steps: no work is done here
    }

    private List<byte[]> exchange(byte[] mine) {
        return Rendezvous.exchange(launch, mine, deadline);
    }

    @Override
    public void barrier(String what) {
        exchange(new byte[0]);
    }

    @Override
    public void broadcast(String what, MemorySegment data, int root) {
        RankArguments.requireRank("broadcast " + what, root, size());
        byte[] mine = rank() == root ? data.toArray(ValueLayout.JAVA_BYTE) : new byte[0];
        data.copyFrom(MemorySegment.ofArray(exchange(mine).get(root)));
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        RankArguments.requireBytes("allGather " + what + ": receive", receive, size() * send.byteSize());
        List<byte[]> all = exchange(send.toArray(ValueLayout.JAVA_BYTE));
        for (int i = 0; i < all.size(); i++) {
            receive.asSlice(i * send.byteSize(), send.byteSize()).copyFrom(MemorySegment.ofArray(all.get(i)));
        }
    }

    @Override
    public void allToAllV(
            String what,
            MemorySegment send,
            long[] sendBytes,
            long[] sendOffsets,
            MemorySegment receive,
            long[] receiveBytes,
            long[] receiveOffsets) {
        throw noTransport();
    }

    @Override
    public void send(String what, MemorySegment data, int to) {
        throw noTransport();
    }

    @Override
    public void receive(String what, MemorySegment data, int from) {
        throw noTransport();
    }

    @Override
    public Communicator split(String name, int color, int key) {
        throw noTransport();
    }

    @Override
    public void abort(String reason) {
        LOG.error("{}: {}", launch, reason); // nobody listens: the others end by their deadlines
    }

    @Override
    public void close() {
        // nothing is open between two exchanges
    }
}
