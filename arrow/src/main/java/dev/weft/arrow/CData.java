package dev.weft.arrow;

import dev.weft.ClosedException;
import dev.weft.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Tensors through the Arrow C Data and C Device Data Interface, without an Arrow library. Pointers are to structures that the
 * caller owns: {@code ArrowSchema} of 72 bytes, {@code ArrowArray} of 80, {@code ArrowDeviceArray} of 128. How tensors look as
 * arrays is told in {@code docs/arrow.md}; block scales are an array of their own ({@link TensorMemory#scales}).
 *
 * <p>An exported structure holds the memory until its release function is called, on any thread. A child that the consumer
 * moved out of its parent lives on its own.
 */
public final class CData {
    private static final CStruct SCHEMA = CStruct.SCHEMA;
    private static final CStruct ARRAY = CStruct.ARRAY;
    private static final CStruct DEVICE = CStruct.DEVICE_ARRAY;
    private static final String LIST = "+w:";

    private CData() {}

    /**
     * Describes a tensor as a field.
     *
     * @param schema pointer to the {@code ArrowSchema} to fill
     */
    @SuppressWarnings("MustBeClosedChecker") // the consumer's release closes the arena
    public static void exportSchema(TensorType type, String name, MemorySegment schema) {
        TensorLayout layout = TensorLayout.of(type);
        boolean list = layout.listSize() != TensorLayout.NO_LIST;
        MemorySegment struct = SCHEMA.at(schema);
        if (list) {
            Arena arena = Arena.ofShared();
            MemorySegment child = arena.allocate(SCHEMA.layout());
            field(child, layout.format(), "item", Map.of(), Arena.ofShared());
            field(struct, LIST + layout.listSize(), name, layout.metadata(), arena);
            children(SCHEMA, struct, arena, child);
        } else {
            field(struct, layout.format(), name, layout.metadata(), Arena.ofShared());
        }
    }

    private static void field(
            MemorySegment struct, String format, String name, Map<String, String> metadata, Arena arena) {
        struct.fill((byte) 0);
        SCHEMA.set(struct, "format", arena.allocateFrom(format));
        SCHEMA.set(struct, "name", arena.allocateFrom(name));
        if (!metadata.isEmpty()) {
            SCHEMA.set(struct, "metadata", encode(metadata, arena));
        }
        SCHEMA.set(struct, "release", Exports.RELEASE_SCHEMA);
        SCHEMA.set(struct, "private_data", Exports.add(arena, () -> {}));
    }

    private static void children(CStruct kind, MemorySegment struct, Arena arena, MemorySegment child) {
        kind.set(struct, "n_children", 1);
        kind.set(struct, "children", arena.allocateFrom(ValueLayout.ADDRESS, child));
    }

    /** Counts and lengths are 32 bits in the order of the machine. */
    private static MemorySegment encode(Map<String, String> metadata, Arena arena) {
        int size = Integer.BYTES;
        for (Map.Entry<String, String> e : metadata.entrySet()) {
            size += 2 * Integer.BYTES + bytes(e.getKey()).length + bytes(e.getValue()).length;
        }
        ByteBuffer to = ByteBuffer.allocate(size).order(ByteOrder.nativeOrder()).putInt(metadata.size());
        metadata.forEach((key, value) -> to.putInt(bytes(key).length)
                .put(bytes(key))
                .putInt(bytes(value).length)
                .put(bytes(value)));
        return arena.allocateFrom(ValueLayout.JAVA_BYTE, to.array());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /**
     * Lends the host memory of a tensor.
     *
     * @param array pointer to the {@code ArrowArray} to fill
     * @throws ArrowException if the memory is not the host's: see {@link #exportDeviceArray}
     */
    public static void exportArray(TensorMemory memory, MemorySegment array) {
        if (!memory.place().isHost()) {
            throw new ArrowException("tensor memory " + memory.type() + ": found memory of " + memory.place()
                    + ", expected the host's; export an ArrowDeviceArray");
        }
        fill(memory, ARRAY.at(array));
    }

    /**
     * Lends the memory of a tensor on any device; its address is passed on and never followed. Nothing has to be waited for:
     * Weft's work on the tensor must be done.
     *
     * @param array pointer to the {@code ArrowDeviceArray} to fill
     */
    public static void exportDeviceArray(TensorMemory memory, MemorySegment array) {
        MemorySegment struct = DEVICE.at(array).fill((byte) 0);
        fill(memory, struct.asSlice(DEVICE.offset("array"), ARRAY.size()));
        DEVICE.set(
                struct,
                "device_id",
                memory.place().isHost() ? -1 : memory.place().ordinal());
        DEVICE.set(struct, "device_type", memory.place().type());
    }

    @SuppressWarnings("MustBeClosedChecker") // the consumer's release closes the arena
    private static void fill(TensorMemory memory, MemorySegment struct) {
        TensorLayout layout = TensorLayout.of(memory.type());
        MemorySegment data = MemorySegment.ofAddress(memory.address());
        TensorMemory.Hold hold = memory.hold();
        if (layout.listSize() == TensorLayout.NO_LIST) {
            array(struct, layout.length(), hold::close, Arena.ofShared(), MemorySegment.NULL, data);
            return;
        }
        Arena arena = Arena.ofShared();
        MemorySegment child = arena.allocate(ARRAY.layout());
        long values = layout.length() * layout.listSize();
        array(child, values, hold::close, Arena.ofShared(), MemorySegment.NULL, data);
        array(struct, layout.length(), () -> {}, arena, MemorySegment.NULL);
        children(ARRAY, struct, arena, child);
    }

    /** @param buffers the bitmap, absent as nothing is null, and the values */
    private static void array(
            MemorySegment struct, long length, Runnable release, Arena arena, MemorySegment... buffers) {
        struct.fill((byte) 0);
        ARRAY.set(struct, "length", length);
        ARRAY.set(struct, "n_buffers", buffers.length);
        MemorySegment pointers = arena.allocate(ValueLayout.ADDRESS, buffers.length);
        for (int i = 0; i < buffers.length; i++) {
            pointers.setAtIndex(ValueLayout.ADDRESS, i, buffers[i]);
        }
        ARRAY.set(struct, "buffers", pointers);
        ARRAY.set(struct, "release", Exports.RELEASE_ARRAY);
        ARRAY.set(struct, "private_data", Exports.add(arena, release));
    }

    /**
     * Takes over an array of the host, and releases its schema. The structures are marked as released; the memory is given
     * back to its producer when nobody holds it any more. After a refusal both still belong to the caller.
     *
     * @param array pointer to an {@code ArrowArray}
     * @param schema pointer to its {@code ArrowSchema}
     * @throws ClosedException if one of the two was released already
     * @throws ArrowException if it has nulls or is no array of numbers or of lists of them of one size
     */
    public static TensorMemory importArray(MemorySegment array, MemorySegment schema) {
        return CImport.take(ARRAY.at(array), SCHEMA.at(schema), Place.HOST);
    }

    /**
     * Takes over an array of any device, as {@link #importArray} does.
     *
     * @param array pointer to an {@code ArrowDeviceArray}
     * @param schema pointer to its {@code ArrowSchema}
     * @throws ArrowException also if the array comes with an event, which Weft cannot wait for
     */
    public static TensorMemory importDeviceArray(MemorySegment array, MemorySegment schema) {
        MemorySegment struct = DEVICE.at(array);
        if (DEVICE.get(struct, "sync_event") != 0) {
            throw new ArrowException("device array: found an event to wait for, expected none; let the producer wait");
        }
        int type = (int) DEVICE.get(struct, "device_type");
        Place place = new Place(type, (int) Math.max(0, DEVICE.get(struct, "device_id")));
        return CImport.take(struct.asSlice(DEVICE.offset("array"), ARRAY.size()), SCHEMA.at(schema), place);
    }

    /** Metadata of a schema, as text. */
    static Map<String, String> decode(MemorySegment schema) {
        Map<String, String> metadata = new LinkedHashMap<>();
        long address = SCHEMA.get(schema, "metadata");
        if (address != 0) {
            MemorySegment text = MemorySegment.ofAddress(address).reinterpret(Long.MAX_VALUE);
            long[] at = {Integer.BYTES};
            for (int i = text.get(ValueLayout.JAVA_INT_UNALIGNED, 0); i > 0; i--) {
                String key = text(text, at);
                metadata.put(key, text(text, at));
            }
        }
        return metadata;
    }

    private static String text(MemorySegment from, long[] at) {
        int length = from.get(ValueLayout.JAVA_INT_UNALIGNED, at[0]);
        byte[] bytes = from.asSlice(at[0] + Integer.BYTES, length).toArray(ValueLayout.JAVA_BYTE);
        at[0] += Integer.BYTES + length;
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
