package dev.weft.arrow;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The C structures of the border, and access to their fields by name: {@code dl_tensor.device.device_type} is a field of a
 * structure within a structure.
 *
 * <p>Sources: Arrow C Data and C Device Data Interface ({@code arrow/c/abi.h}); DLPack 1.1 ({@code dlpack.h}).
 */
record CStruct(StructLayout layout) {
    static final CStruct SCHEMA = of(
            ADDRESS.withName("format"),
            ADDRESS.withName("name"),
            ADDRESS.withName("metadata"),
            JAVA_LONG.withName("flags"),
            JAVA_LONG.withName("n_children"),
            ADDRESS.withName("children"),
            ADDRESS.withName("dictionary"),
            ADDRESS.withName("release"),
            ADDRESS.withName("private_data"));

    static final CStruct ARRAY = of(
            JAVA_LONG.withName("length"),
            JAVA_LONG.withName("null_count"),
            JAVA_LONG.withName("offset"),
            JAVA_LONG.withName("n_buffers"),
            JAVA_LONG.withName("n_children"),
            ADDRESS.withName("buffers"),
            ADDRESS.withName("children"),
            ADDRESS.withName("dictionary"),
            ADDRESS.withName("release"),
            ADDRESS.withName("private_data"));

    static final CStruct DEVICE_ARRAY = of(
            ARRAY.layout.withName("array"),
            JAVA_LONG.withName("device_id"),
            JAVA_INT.withName("device_type"),
            MemoryLayout.paddingLayout(4),
            ADDRESS.withName("sync_event"),
            MemoryLayout.sequenceLayout(3, JAVA_LONG).withName("reserved"));

    static final CStruct DL_TENSOR = of(
            ADDRESS.withName("data"),
            MemoryLayout.structLayout(JAVA_INT.withName("device_type"), JAVA_INT.withName("device_id"))
                    .withName("device"),
            JAVA_INT.withName("ndim"),
            MemoryLayout.structLayout(
                            JAVA_BYTE.withName("code"), JAVA_BYTE.withName("bits"), JAVA_SHORT.withName("lanes"))
                    .withName("dtype"),
            ADDRESS.withName("shape"),
            ADDRESS.withName("strides"),
            JAVA_LONG.withName("byte_offset"));

    static final CStruct DL_MANAGED =
            of(DL_TENSOR.layout.withName("dl_tensor"), ADDRESS.withName("manager_ctx"), ADDRESS.withName("deleter"));

    static final CStruct DL_VERSIONED = of(
            MemoryLayout.structLayout(JAVA_INT.withName("major"), JAVA_INT.withName("minor"))
                    .withName("version"),
            ADDRESS.withName("manager_ctx"),
            ADDRESS.withName("deleter"),
            JAVA_LONG.withName("flags"),
            DL_TENSOR.layout.withName("dl_tensor"));

    private static CStruct of(MemoryLayout... fields) {
        return new CStruct(MemoryLayout.structLayout(fields));
    }

    long size() {
        return layout.byteSize();
    }

    /** The structure at an address. */
    MemorySegment at(MemorySegment pointer) {
        return MemorySegment.ofAddress(pointer.address()).reinterpret(size());
    }

    long offset(String field) {
        return layout.byteOffset(path(field));
    }

    private static PathElement[] path(String field) {
        return Arrays.stream(field.split("\\.")).map(PathElement::groupElement).toArray(PathElement[]::new);
    }

    /** A pointer or an integer. */
    long get(MemorySegment struct, String field) {
        long offset = offset(field);
        return switch ((ValueLayout) layout.select(path(field))) {
            case ValueLayout.OfByte l -> struct.get(l, offset);
            case ValueLayout.OfShort l -> struct.get(l, offset);
            case ValueLayout.OfInt l -> struct.get(l, offset);
            case ValueLayout.OfLong l -> struct.get(l, offset);
            default -> struct.get(ADDRESS, offset).address();
        };
    }

    void set(MemorySegment struct, String field, long value) {
        long offset = offset(field);
        switch ((ValueLayout) layout.select(path(field))) {
            case ValueLayout.OfByte l -> struct.set(l, offset, (byte) value);
            case ValueLayout.OfShort l -> struct.set(l, offset, (short) value);
            case ValueLayout.OfInt l -> struct.set(l, offset, (int) value);
            case ValueLayout.OfLong l -> struct.set(l, offset, value);
            default -> struct.set(ADDRESS, offset, MemorySegment.ofAddress(value));
        }
    }

    void set(MemorySegment struct, String field, MemorySegment pointer) {
        set(struct, field, pointer.address());
    }
}
