package dev.weft.backend.cuda.kernel;

import dev.weft.op.OpInstance;
import java.util.Optional;
import java.util.function.Function;

/**
 * One way to run one operator, as data. Stateless. An operator has several: fast ones first, at last the simple kernel that
 * takes every instance and that the fast ones are held against ({@code cuda:0/simple} uses only those).
 *
 * @param name for placement tables
 * @param kind whose kernels they are
 * @param refusal why it cannot
 * @param scratch bytes of {@code call.workspace} at the largest extents of the instance
 * @param attributes what every launch is given
 * @param body writes the launches
 */
public record Way(
        String name,
        Kind kind,
        Refusal refusal,
        Scratch scratch,
        Function<OpInstance, Attributes> attributes,
        Body body) {
    /** Whose kernels a way launches. */
    public enum Kind {
        /** The simple kernel. */
        SIMPLE,
        /** A fast one of ours, which {@link Fusions} may join with others. */
        FAST,
        /** Fast ones of ours that keep fewer bits of a sum than the others, which {@link Fusions} leaves alone. */
        FEWER_BITS,
        /** Those of another library. */
        LIBRARY
    }

    /** Why an instance cannot run on a device, empty if it can. Holds for all extents within the bounds of named axes. */
    public interface Refusal {
        Optional<String> of(OpInstance op, Chip chip);
    }

    /** Scratch bytes of an instance. */
    public interface Scratch {
        long of(OpInstance op, Chip chip);
    }

    /** Writes the launches of one call. Not asked when every result is empty. */
    public interface Body {
        void emit(Emit e);
    }

    /** The simple kernel. */
    public static Way simple(String name, Body body) {
        return of(name + "/simple", Kind.SIMPLE, body);
    }

    /** A fast kernel. */
    public static Way fast(String name, Body body) {
        return of(name, Kind.FAST, body);
    }

    /** A fast kernel that keeps fewer bits of a sum. */
    public static Way fewerBits(String name, Body body) {
        return of(name, Kind.FEWER_BITS, body);
    }

    /** Kernels of another library. */
    public static Way library(String name, Body body) {
        return of(name, Kind.LIBRARY, body);
    }

    private static Way of(String name, Kind kind, Body body) {
        return new Way(name, kind, (op, chip) -> Optional.empty(), (op, chip) -> 0, op -> Attributes.NONE, body);
    }

    /** Whether it is the simple kernel. */
    public boolean isSimple() {
        return kind == Kind.SIMPLE;
    }

    /** This way with one more refusal. */
    public Way refusing(Refusal more) {
        Refusal first = refusal;
        return new Way(name, kind, (op, c) -> first.of(op, c).or(() -> more.of(op, c)), scratch, attributes, body);
    }

    /** This way with scratch memory. */
    public Way scratch(Scratch bytes) {
        return new Way(name, kind, refusal, bytes, attributes, body);
    }

    /** This way with attributes. */
    public Way attributes(Function<OpInstance, Attributes> given) {
        return new Way(name, kind, refusal, scratch, given, body);
    }
}
