package dev.weft.conformance.toy;

import dev.weft.DeviceMemoryException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The address space of a toy device. Addresses are no host addresses, start at {@code 0x7000_0000_0000_0000} and are
 * never used twice, so that every use after free is found. Blocks lie between guard zones, and bytes are NaN patterns
 * before the first write and after free. Thread-safe.
 */
final class ToyMemory {
    static final long ALIGNMENT = 256;

    private static final long BASE = 0x7000_0000_0000_0000L;
    private static final long SPAN_OF_DEVICE = 1L << 48;
    private static final int GUARD = 256;
    private static final byte POISON = (byte) 0xFF;
    private static final byte GUARD_BYTE = 0x5C;

    /** A live allocation; {@code backing} has a guard zone on both sides of the usable bytes. */
    private record Block(long address, long bytes, byte[] backing, String origin) {
        boolean guardsIntact() {
            for (int i = 0; i < GUARD; i++) {
                if (backing[i] != GUARD_BYTE || backing[backing.length - 1 - i] != GUARD_BYTE) {
                    return false;
                }
            }
            return true;
        }

        @Override
        public String toString() {
            return bytes + " bytes at 0x" + Long.toHexString(address) + " allocated by " + origin;
        }
    }

    private final String device;
    private final long limit;
    private final TreeMap<Long, Block> live = new TreeMap<>();
    private long next;
    private long liveBytes;

    ToyMemory(String device, int ordinal, long limit) {
        this.device = device;
        this.limit = limit;
        this.next = BASE + ordinal * SPAN_OF_DEVICE + ALIGNMENT;
    }

    /** A block at a multiple of {@code alignment} and of {@link #ALIGNMENT}. */
    synchronized long allocate(long bytes, long alignment) {
        if (bytes < 1 || Long.bitCount(alignment) != 1) {
            throw new ToyAccessException(device + ": allocation of " + bytes + " bytes aligned to " + alignment
                    + ": expected a positive size and a power of two");
        }
        if (bytes > Math.min(limit - liveBytes, Integer.MAX_VALUE - 4 * GUARD)) {
            throw new DeviceMemoryException(device + ": allocation of " + bytes + " bytes: " + (limit - liveBytes)
                    + " of " + limit + " bytes are free; use a smaller batch or context");
        }
        long step = Math.max(alignment, ALIGNMENT);
        long address = Math.ceilDiv(next + GUARD, step) * step;
        byte[] backing = new byte[(int) bytes + 2 * GUARD];
        java.util.Arrays.fill(backing, GUARD_BYTE);
        java.util.Arrays.fill(backing, GUARD, GUARD + (int) bytes, POISON);
        live.put(address, new Block(address, bytes, backing, origin()));
        next = address + bytes + GUARD;
        liveBytes += bytes;
        return address;
    }

    /** @throws ToyAccessException if the block is not live or a guard zone was overwritten */
    synchronized void free(long address) {
        Block block = live.remove(address);
        if (block == null) {
            throw new ToyAccessException(device + ": free of 0x" + Long.toHexString(address) + ": no live block there");
        }
        liveBytes -= block.bytes();
        boolean intact = block.guardsIntact();
        java.util.Arrays.fill(block.backing(), POISON);
        if (!intact) {
            throw new ToyAccessException(device + ": something wrote outside " + block);
        }
    }

    /** The bytes at an address. @throws ToyAccessException unless all lie in one live block */
    synchronized MemorySegment bytes(long address, long bytes) {
        Block block = find(address, bytes);
        return MemorySegment.ofArray(block.backing()).asSlice(GUARD + (address - block.address()), bytes);
    }

    /** Breaks the guard zone behind the block that holds {@code address}. */
    synchronized void overrun(long address) {
        Block block = find(address, 1);
        block.backing()[GUARD + (int) block.bytes()] ^= 1;
    }

    private Block find(long address, long bytes) {
        Map.Entry<Long, Block> e = live.floorEntry(address);
        if (e == null
                || bytes < 0
                || address + bytes > e.getKey() + e.getValue().bytes()) {
            throw new ToyAccessException(device + ": access to " + bytes + " bytes at 0x" + Long.toHexString(address)
                    + ": not inside a live block; nearest below: " + (e == null ? "none" : e.getValue()));
        }
        return e.getValue();
    }

    /** Descriptions of the blocks that are still there. */
    synchronized List<String> live() {
        return new ArrayList<>(live.values().stream().map(Block::toString).toList());
    }

    synchronized long liveBytes() {
        return liveBytes;
    }

    synchronized void freeAll() {
        live.clear();
        liveBytes = 0;
    }

    /** The caller of the backend, which is what a reader of a leak report looks for. */
    private static String origin() {
        String own = ToyMemory.class.getPackageName() + ".Toy";
        return StackWalker.getInstance()
                .walk(frames -> frames.filter(f -> !f.getClassName().startsWith(own)
                                || f.getClassName().endsWith("Test"))
                        .findFirst()
                        .map(f -> f.getClassName() + "." + f.getMethodName())
                        .orElse("unknown"));
    }
}
