package dev.weft.backend.ascend.abi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A type of a C parameter or result, as the table spells it, and how the platform passes it.
 *
 * @param text the table's spelling, as in {@code const aclTensor*}
 * @param kind what decides the calling convention
 */
public record CType(String text, Kind kind) {
    /** Classes of types that are passed alike. */
    public enum Kind {
        /** No value. */
        VOID(null),
        /** C {@code bool}, one byte. */
        BOOL(ValueLayout.JAVA_BOOLEAN),
        /** {@code int8_t}. */
        INT8(ValueLayout.JAVA_BYTE),
        /** {@code uint8_t}. */
        UINT8(ValueLayout.JAVA_BYTE),
        /** {@code uint16_t}; an {@code aclFloat16} travels as its bits. */
        UINT16(ValueLayout.JAVA_SHORT),
        /** {@code int32_t} and {@code int}. */
        INT32(ValueLayout.JAVA_INT),
        /** {@code uint32_t}. */
        UINT32(ValueLayout.JAVA_INT),
        /** A C enum: 32 bits in every compiler CANN is built with. */
        ENUM(ValueLayout.JAVA_INT),
        /** {@code int64_t}. */
        INT64(ValueLayout.JAVA_LONG),
        /** {@code uint64_t} and {@code size_t}. */
        UINT64(ValueLayout.JAVA_LONG),
        /** {@code float}, not promoted: every function has a prototype. */
        FLOAT(ValueLayout.JAVA_FLOAT),
        /** {@code double}. */
        DOUBLE(ValueLayout.JAVA_DOUBLE),
        /** A pointer, a handle or a function pointer. */
        POINTER(ValueLayout.ADDRESS),
        /** {@code dim3}: three {@code uint32_t} by value. */
        DIM3(MemoryLayout.structLayout(
                        ValueLayout.JAVA_INT.withName("x"),
                        ValueLayout.JAVA_INT.withName("y"),
                        ValueLayout.JAVA_INT.withName("z"))
                .withName("dim3")),
        /** {@code HcclConfigValue}: a union of one {@code int32_t} by value. */
        CONFIG_VALUE(
                MemoryLayout.unionLayout(ValueLayout.JAVA_INT.withName("value")).withName("HcclConfigValue"));

        private final @Nullable MemoryLayout layout;

        Kind(@Nullable MemoryLayout layout) {
            this.layout = layout;
        }

        /** Layout of a value, empty for {@link #VOID}. */
        public Optional<MemoryLayout> layout() {
            return Optional.ofNullable(layout);
        }

        /** Whether two kinds are one argument class and width, signedness apart. */
        boolean passedLike(Kind other) {
            return layout == null || other.layout == null ? this == other : layout.equals(other.layout);
        }
    }

    private static final Map<String, Kind> NAMED = Map.ofEntries(
            Map.entry("void", Kind.VOID),
            Map.entry("bool", Kind.BOOL),
            Map.entry("int8_t", Kind.INT8),
            Map.entry("uint8_t", Kind.UINT8),
            Map.entry("uint16_t", Kind.UINT16),
            Map.entry("aclFloat16", Kind.UINT16),
            Map.entry("int", Kind.INT32),
            Map.entry("int32_t", Kind.INT32),
            Map.entry("aclError", Kind.INT32),
            Map.entry("aclnnStatus", Kind.INT32),
            Map.entry("uint32_t", Kind.UINT32),
            Map.entry("int64_t", Kind.INT64),
            Map.entry("uint64_t", Kind.UINT64),
            Map.entry("size_t", Kind.UINT64),
            Map.entry("float", Kind.FLOAT),
            Map.entry("double", Kind.DOUBLE),
            Map.entry("dim3", Kind.DIM3),
            Map.entry("HcclConfigValue", Kind.CONFIG_VALUE));

    /** Type names that are pointers although no star shows it. */
    private static final Set<String> HANDLES = Set.of(
            "aclrtStream",
            "aclrtContext",
            "aclrtEvent",
            "HcclComm",
            "aclmdlRI",
            "aclrtBinHandle",
            "aclrtFuncHandle",
            "aclrtArgsHandle",
            "aclrtBinary",
            "aclrtDrvMemHandle",
            "aclrtParamHandle",
            "aclrtTaskGrp",
            "aclrtMemPool",
            "aclrtCallback",
            "aclrtHostFunc",
            "aclrtExceptionInfoCallback",
            "aclrtOpExceptionCallback",
            "aclInitCallbackFunc");

    /**
     * The type a table cell names.
     *
     * @throws IllegalArgumentException for a name that is neither a C type nor one of CANN's
     */
    public static CType parse(String text) {
        CTypeName name = CTypeName.parse(text);
        return new CType(text, name.pointers() > 0 ? Kind.POINTER : kind(text, name.base()));
    }

    private static Kind kind(String text, String base) {
        Kind named = NAMED.get(base);
        if (named != null) {
            return named;
        }
        if (HANDLES.contains(base)) {
            return Kind.POINTER;
        }
        if (base.startsWith("acl") || base.startsWith("Hccl")) {
            return Kind.ENUM; // the remaining by-value types of CANN are all enums
        }
        throw new IllegalArgumentException("C type '" + text + "': expected a fundamental type or a name of CANN");
    }

    /** Layout of an argument of this type, empty for {@code void}. */
    public Optional<MemoryLayout> layout() {
        return kind.layout();
    }

    /** The type without qualifiers. */
    CTypeName name() {
        return CTypeName.parse(text);
    }

    @Override
    public String toString() {
        return text;
    }
}
