package dev.weft.runtime;

import dev.weft.CommunicatorException;
import dev.weft.RequestException;
import dev.weft.spi.Closing;
import dev.weft.spi.Communicator;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * The ranks that run the collectives of graphs together: all of them, and blocks of consecutive ones. A collective of n ranks
 * runs in the block of n ranks that this rank is in. Source: the process groups of distributed.md 1.
 */
public final class RankGroups implements AutoCloseable {
    private final Communicator all;
    private final Map<Integer, Communicator> blocks = new HashMap<>();

    private RankGroups(Communicator all) {
        this.all = all;
    }

    /** All ranks, without blocks. */
    static RankGroups of(Communicator all) {
        return new RankGroups(all);
    }

    /**
     * All ranks, and their blocks. Called by all ranks with the same sizes. To be closed before {@code all}, which stays open.
     *
     * @param sizes ranks of a block; the size of all needs none
     * @throws RequestException if a size does not divide the ranks
     * @throws CommunicatorException if the ranks cannot be split
     */
    public static RankGroups split(Communicator all, Collection<Integer> sizes) {
        RankGroups groups = of(all);
        try {
            new TreeSet<>(sizes).forEach(groups::add); // in the same order on all ranks
            return groups;
        } catch (RequestException | CommunicatorException e) { // all ranks know
            groups.close();
            throw e;
        } catch (RuntimeException | Error e) {
            groups.close();
            all.abort("blocks of ranks: " + e);
            throw e;
        }
    }

    private void add(int size) {
        if (size < 1 || all.size() % size != 0) {
            throw new RequestException("group " + all.name() + " of " + all.size() + " ranks: found blocks of " + size
                    + ", expected a divisor of the ranks");
        }
        if (size < all.size()) {
            int block = all.rank() / size;
            String name = "ranks " + block * size + "-" + ((block + 1) * size - 1);
            blocks.put(size, all.split(name, block, all.rank()));
        }
    }

    /** All ranks. */
    public Communicator all() {
        return all;
    }

    /** The group of {@code ranks} ranks that this rank is in; empty if there are no such groups. */
    public Optional<Communicator> of(int ranks) {
        return ranks == all.size() ? Optional.of(all) : Optional.ofNullable(blocks.get(ranks));
    }

    /** As {@link Communicator#isUnderWay}, of any of the groups. */
    boolean isUnderWay() {
        return all.isUnderWay() || blocks.values().stream().anyMatch(Communicator::isUnderWay);
    }

    @Override
    public void close() {
        Closing.all(List.copyOf(blocks.values()));
    }

    @Override
    public String toString() {
        return "group " + all.name() + " of " + all.size()
                + (blocks.isEmpty() ? "" : " with blocks of " + new TreeSet<>(blocks.keySet()));
    }
}
