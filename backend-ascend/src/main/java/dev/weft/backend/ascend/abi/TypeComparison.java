package dev.weft.backend.ascend.abi;

import dev.weft.backend.ascend.abi.CType.Kind;
import org.jspecify.annotations.Nullable;

/** Whether a type of the table and one of a header are the same to a compiler that has seen the headers' typedefs. */
final class TypeComparison {
    private static final int MAX_ALIASES = 16; // headers that define names in a circle must not hang us

    private final HeaderTree tree;

    TypeComparison(HeaderTree tree) {
        this.tree = tree;
    }

    /**
     * Whether the header's type is the table's: the same name, an alias of it, or another name of the same number type.
     * Two handle types differ although both are {@code void*}. A name that the headers define with another width than
     * the table assumes is another type too.
     */
    boolean same(CType ours, CTypeName theirs) {
        CTypeName own = ours.name();
        Kind defined = kind(end(theirs));
        if (defined != null && !defined.passedLike(ours.kind())) {
            return false;
        }
        if (reaches(own, theirs) || reaches(theirs, own)) {
            return true;
        }
        Kind number = number(end(own));
        return number != null
                && number == number(end(theirs))
                && end(own).pointers() == end(theirs).pointers();
    }

    private boolean reaches(CTypeName from, CTypeName to) {
        CTypeName type = from;
        for (int i = 0; i < MAX_ALIASES && type != null; i++) {
            if (type.equals(to)) {
                return true;
            }
            type = tree.target(type);
        }
        return false;
    }

    /** What a chain of aliases ends in. */
    private CTypeName end(CTypeName type) {
        CTypeName end = type;
        for (int i = 0; i < MAX_ALIASES; i++) {
            CTypeName next = tree.target(end);
            if (next == null) {
                break;
            }
            end = next;
        }
        return end;
    }

    /** How the platform passes {@code type}, {@code null} for a name without a definition. */
    private static @Nullable Kind kind(CTypeName type) {
        return type.pointers() > 0 ? Kind.POINTER : number(type);
    }

    /** Number type under any of its spellings on 64-bit Linux, stars apart; {@code null} for other types. */
    private static @Nullable Kind number(CTypeName type) {
        return switch (type.base()) {
            case "bool", "_Bool" -> Kind.BOOL;
            case "int8_t", "signed char" -> Kind.INT8;
            case "uint8_t", "unsigned char" -> Kind.UINT8;
            case "uint16_t", "unsigned short", "unsigned short int" -> Kind.UINT16;
            case "int32_t", "int", "signed", "signed int" -> Kind.INT32;
            case "uint32_t", "unsigned", "unsigned int" -> Kind.UINT32;
            case "int64_t", "long", "long int", "long long", "long long int" -> Kind.INT64;
            case "uint64_t", "size_t", "unsigned long", "unsigned long int" -> Kind.UINT64;
            case "unsigned long long", "unsigned long long int" -> Kind.UINT64;
            case "float" -> Kind.FLOAT;
            case "double" -> Kind.DOUBLE;
            default -> null;
        };
    }
}
