package dev.weft.backend.ascend.abi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.foreign.ValueLayout.OfInt;
import java.nio.charset.StandardCharsets;

/**
 * Settings of a communicator, as the C struct {@code HcclCommConfig}. The header initialises it inline, so that there is
 * no function to call; libraries read it by its size and version. This is version 5, the form of CANN 8.1, which later
 * libraries still take.
 *
 * @param bufferMegabytes size of the exchange buffer, {@link #UNSET} for HCCL_BUFFSIZE
 * @param deterministic 1 for sums in a fixed order, 0 for the fastest, {@link #UNSET} for HCCL_DETERMINISTIC
 * @param name unique name of the communicator, at most 127 bytes, empty for a generated one
 * @param expansion where collectives are expanded: 0 default, 1 host, 2 AI CPU, 3 vector cores
 */
public record HcclCommConfig(int bufferMegabytes, int deterministic, String name, int expansion) {
    /** A number that is left to the library. */
    public static final int UNSET = 0xFFFFFFFF;

    private static final int MAGIC = 0xF0F0F0F0;
    private static final int VERSION = 5;
    private static final int NAME_BYTES = 128;
    private static final OfInt UINT32 = ValueLayout.JAVA_INT;

    /** 64-bit members are four-byte aligned: in C they lie in an array of bytes. */
    private static final ValueLayout.OfLong UINT64 = ValueLayout.JAVA_LONG.withByteAlignment(4);

    static final StructLayout LAYOUT = MemoryLayout.structLayout(
            UINT64.withName("size"),
            UINT32.withName("magic"),
            UINT32.withName("version"),
            UINT64.withName("reserved"),
            UINT32.withName("bufferSize"),
            UINT32.withName("deterministic"),
            MemoryLayout.sequenceLayout(NAME_BYTES, ValueLayout.JAVA_BYTE).withName("commName"),
            MemoryLayout.sequenceLayout(NAME_BYTES, ValueLayout.JAVA_BYTE).withName("udi"),
            UINT32.withName("opExpansionMode"),
            UINT32.withName("trafficClass"),
            UINT32.withName("serviceLevel"));

    public HcclCommConfig {
        int bytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (bytes >= NAME_BYTES || name.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("communicator name '" + name + "': found " + bytes
                    + " bytes, expected at most " + (NAME_BYTES - 1) + " without zero bytes");
        }
    }

    /** All settings left to the library. */
    public static HcclCommConfig defaults() {
        return new HcclCommConfig(UNSET, UNSET, "", 0);
    }

    /** The C struct, to be passed by address. */
    public MemorySegment write(SegmentAllocator allocator) {
        MemorySegment struct = allocator.allocate(LAYOUT.byteSize(), 8).fill((byte) 0);
        struct.set(UINT64, offset("size"), LAYOUT.byteSize());
        struct.set(UINT32, offset("magic"), MAGIC);
        struct.set(UINT32, offset("version"), VERSION);
        struct.set(UINT32, offset("bufferSize"), bufferMegabytes);
        struct.set(UINT32, offset("deterministic"), deterministic);
        struct.setString(offset("commName"), name);
        struct.set(UINT32, offset("opExpansionMode"), expansion);
        struct.set(UINT32, offset("trafficClass"), UNSET);
        struct.set(UINT32, offset("serviceLevel"), UNSET);
        return struct;
    }

    private static long offset(String member) {
        return LAYOUT.byteOffset(PathElement.groupElement(member));
    }
}
