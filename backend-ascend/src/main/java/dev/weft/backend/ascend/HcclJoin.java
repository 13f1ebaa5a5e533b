package dev.weft.backend.ascend;

import dev.weft.CommunicatorException;
import dev.weft.WeftException;
import dev.weft.backend.ascend.abi.HcclCommConfig;
import dev.weft.backend.ascend.abi.HcclResult;
import dev.weft.spi.support.RankArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * The beginning of a group: rank 0 opens it, all others learn how from rank 0, and all compare what must be equal. Ranks
 * find each other by the root info of rank 0, or by a rank table if there is one.
 */
final class HcclJoin {
    /** {@code HcclRootInfo}, opaque. */
    private static final int ROOT_INFO_BYTES = 4108;

    private static final int HEAD_BYTES = 2 * Integer.BYTES + Long.BYTES;
    private static final byte OPENED = 0;
    private static final byte FAILED = 1;

    private final AscendDevice device;
    private final String name;
    private final int rank;
    private final int size;
    private final Duration deadline;
    private final String rankTable;

    HcclJoin(AscendDevice device, String name, int rank, int size, Duration deadline) {
        RankArguments.requireRank("join " + name, rank, size);
        this.device = device;
        this.name = name;
        this.rank = rank;
        this.size = size;
        this.deadline = deadline;
        this.rankTable = device.options().rankTable();
    }

    HcclGroup run(UnaryOperator<byte[]> fromRankZero) {
        byte[] opening = rank == 0 ? opening() : new byte[0];
        ByteBuffer first = ByteBuffer.wrap(fromRankZero.apply(opening));
        if (first.get() == FAILED) {
            throw failure("rank 0 could not open the group: " + StandardCharsets.UTF_8.decode(first));
        }
        HcclCommOptions options = new HcclCommOptions(
                "weft_" + name + "_" + HexFormat.of().toHexDigits(first.getLong()), first.getInt(), first.getInt());
        byte[] root = new byte[first.remaining()];
        first.get(root);
        if (root.length == 0 != !rankTable.isEmpty()) {
            throw failure(AscendOptions.RANK_TABLE_VARIABLE + " is " + (rankTable.isEmpty() ? "not set" : "set")
                    + ", on rank 0 it is otherwise; set it on all ranks to the same table, or on none");
        }
        MemorySegment comm = bounded(() -> initialise(root, options));
        HcclWorld world = new HcclWorld(device, comm, rank, size, options, deadline);
        HcclGroup group =
                new HcclGroup(world, name, comm, IntStream.range(0, size).toArray(), rank);
        try {
            device.hcclSettings().requireSame(group);
            return group;
        } catch (RuntimeException | Error e) {
            group.close();
            throw e;
        }
    }

    /** What rank 0 tells the others, or why it cannot: they would wait for it. */
    private byte[] opening() {
        try {
            byte[] root = rankTable.isEmpty() ? device.call(this::rootInfo) : new byte[0];
            int level = device.options().deterministic();
            return ByteBuffer.allocate(1 + HEAD_BYTES + root.length)
                    .put(OPENED)
                    .putLong(ThreadLocalRandom.current().nextLong())
                    .putInt(device.options().bufferMegabytes())
                    .putInt(level < 0 ? HcclCommConfig.UNSET : Math.min(level, 1))
                    .put(root)
                    .array();
        } catch (WeftException e) {
            byte[] text = e.getMessage().getBytes(StandardCharsets.UTF_8);
            return ByteBuffer.allocate(1 + text.length).put(FAILED).put(text).array();
        }
    }

    private byte[] rootInfo() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(ROOT_INFO_BYTES, 8);
            require(device.hccl().HcclGetRootInfo(info), "HcclGetRootInfo");
            return info.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    private MemorySegment initialise(byte[] root, HcclCommOptions options) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            MemorySegment config = options.config("").write(arena);
            if (rankTable.isEmpty()) {
                MemorySegment info = arena.allocateFrom(ValueLayout.JAVA_BYTE, root);
                int code = device.hccl().HcclCommInitRootInfoConfig(size, info, rank, config, out);
                require(code, "HcclCommInitRootInfoConfig");
            } else {
                if (!Files.isReadable(Path.of(rankTable))) {
                    throw failure(AscendOptions.RANK_TABLE_VARIABLE + ": " + rankTable
                            + " cannot be read; name a table that every rank can read, or unset it to find the ranks"
                            + " through rank 0");
                }
                MemorySegment path = arena.allocateFrom(rankTable);
                int code = device.hccl().HcclCommInitClusterInfoConfig(path, rank, config, out);
                require(code, "HcclCommInitClusterInfoConfig(" + rankTable + ")");
            }
            return out.get(ValueLayout.ADDRESS, 0);
        }
    }

    private void require(int code, String function) {
        if (code != HcclResult.SUCCESS) {
            String said = device.health().recentMessage();
            throw failure(function + ": " + HcclResult.describe(code) + (said.isEmpty() ? "" : ": " + said));
        }
    }

    /** HCCL waits for the other ranks as long as it likes, and cannot be told to stop. */
    private MemorySegment bounded(Supplier<MemorySegment> joining) {
        AtomicBoolean abandoned = new AtomicBoolean();
        try {
            return device.callWithin(deadline, () -> {
                MemorySegment comm = joining.get();
                if (abandoned.get()) {
                    device.hccl().HcclCommDestroy(comm);
                }
                return comm;
            });
        } catch (TimeoutException e) {
            abandoned.set(true);
            throw failure(String.format(
                    "not all ranks came within %.1f s; see whether they run and what they say; raise the limit with"
                            + " --ranks-deadline SECONDS; HCCL itself gives up after HCCL_CONNECT_TIMEOUT seconds (120"
                            + " unless set), until then the device cannot be closed",
                    deadline.toMillis() / 1e3));
        } catch (CommunicatorException e) {
            throw e;
        } catch (WeftException e) {
            throw new CommunicatorException(subject() + e.getMessage(), e);
        }
    }

    private CommunicatorException failure(String found) {
        return new CommunicatorException(subject() + found);
    }

    private String subject() {
        return "rank " + rank + " of " + size + " on " + device.info().id() + ": join of group " + name + ": ";
    }
}
