package dev.weft.arrow;

import dev.weft.ClosedException;
import dev.weft.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Takes over arrays of the C Data Interface. Everything is checked before anything is taken. */
final class CImport {
    private static final CStruct SCHEMA = CStruct.SCHEMA;
    private static final CStruct ARRAY = CStruct.ARRAY;
    private static final String LIST = "+w:";

    private final String subject;
    private final MemorySegment array;
    private final MemorySegment schema;

    private CImport(String subject, MemorySegment array, MemorySegment schema) {
        this.subject = subject;
        this.array = array;
        this.schema = schema;
    }

    static TensorMemory take(MemorySegment array, MemorySegment schema, Place place) {
        if (SCHEMA.get(schema, "release") == 0 || ARRAY.get(array, "release") == 0) {
            throw new ClosedException("arrow array: import of a structure that was released already");
        }
        String name = string(SCHEMA.get(schema, "name"));
        CImport from = new CImport("arrow array '" + name + "'", array, schema);
        TensorLayout layout = from.layout();
        TensorType type = layout.type(from.subject);
        long address = from.address(type);
        return TensorMemory.at(type, place, address, 0, from.move());
    }

    private TensorLayout layout() {
        String format = string(SCHEMA.get(schema, "format"));
        if (SCHEMA.get(schema, "dictionary") != 0) {
            throw new ArrowException(subject + ": found a dictionary, expected plain values");
        }
        long length = ARRAY.get(array, "length");
        if (!format.startsWith(LIST)) {
            return new TensorLayout(format, length, TensorLayout.NO_LIST, CData.decode(schema));
        }
        if (SCHEMA.get(schema, "n_children") != 1 || ARRAY.get(array, "n_children") != 1) {
            throw new ArrowException(subject + ": found a list without its values; the structures are broken");
        }
        String values = string(SCHEMA.get(child(SCHEMA, schema), "format"));
        return new TensorLayout(values, length, Long.parseLong(format.substring(LIST.length())), CData.decode(schema));
    }

    /** Of the first element, offsets applied. */
    private long address(TensorType type) {
        requireNoNulls(array);
        long offset = ARRAY.get(array, "offset");
        MemorySegment values = array;
        String format = string(SCHEMA.get(schema, "format"));
        if (format.startsWith(LIST)) {
            values = child(ARRAY, array);
            requireNoNulls(values);
            offset = offset * Long.parseLong(format.substring(LIST.length())) + ARRAY.get(values, "offset");
        }
        if (ARRAY.get(values, "n_buffers") != 2) {
            throw new ArrowException(subject + ": found " + ARRAY.get(values, "n_buffers")
                    + " buffers, expected a bitmap and values; the structures are broken");
        }
        long data = pointers(ARRAY.get(values, "buffers"), 2)
                .getAtIndex(ValueLayout.ADDRESS, 1)
                .address();
        if (data == 0 && type.maxElements() > 0) {
            throw new ArrowException(subject + ": found no values, expected those of " + type);
        }
        ElementFormat element = ElementFormat.of(type.dtype());
        return data + offset * type.dtype().bits() * element.perValue() / Byte.SIZE;
    }

    private void requireNoNulls(MemorySegment of) {
        long nulls = ARRAY.get(of, "null_count");
        boolean bitmap = pointers(ARRAY.get(of, "buffers"), 1)
                        .getAtIndex(ValueLayout.ADDRESS, 0)
                        .address()
                != 0;
        if (nulls > 0 || nulls < 0 && bitmap) {
            throw new ArrowException(
                    subject + ": found " + (nulls > 0 ? nulls + " nulls" : "an unknown number of nulls")
                            + ", expected none: tensors have no nulls");
        }
    }

    /** Copies the array, marks it as released for its owner, and says how the copy is released. */
    private Runnable move() {
        Arena arena = Arena.ofAuto();
        MemorySegment own = arena.allocate(ARRAY.layout()).copyFrom(array);
        ARRAY.set(array, "release", 0);
        Exports.call(SCHEMA.get(schema, "release"), schema);
        return () -> Exports.call(ARRAY.get(own, "release"), own);
    }

    private static MemorySegment child(CStruct kind, MemorySegment of) {
        return kind.at(pointers(kind.get(of, "children"), 1).getAtIndex(ValueLayout.ADDRESS, 0));
    }

    private static MemorySegment pointers(long address, long count) {
        return MemorySegment.ofAddress(address).reinterpret(count * ValueLayout.ADDRESS.byteSize());
    }

    private static String string(long address) {
        return address == 0
                ? ""
                : MemorySegment.ofAddress(address).reinterpret(Long.MAX_VALUE).getString(0);
    }
}
