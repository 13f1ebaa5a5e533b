package dev.weft.conformance;

import dev.weft.DType;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/** Fills an operand of a case. The same seed gives the same bytes on every machine. */
@FunctionalInterface
public interface Data {
    /** Fills every element and every scale byte of {@code t}. */
    void fill(HostTensor t, SplittableRandom random);

    /** Scale byte of 2^0. */
    int UNIT_SCALE = 127;

    /** Values around zero of size one; for narrow formats random finite codes and scale bytes near 1. */
    static Data random() {
        return (t, r) -> {
            for (long i = 0; i < t.size(); i++) {
                switch (t.type().dtype()) {
                    case F8_E4M3 -> t.setCode(i, finiteE4m3(r));
                    case F4_E2M1 -> t.setCode(i, r.nextInt(16));
                    default -> t.set(i, r.nextDouble(-2, 2));
                }
            }
            fillScales(t, r, UNIT_SCALE - 6, UNIT_SCALE + 2);
        };
    }

    private static int finiteE4m3(SplittableRandom r) {
        int code = r.nextInt(256);
        return (code & 0x7F) == 0x7F ? code - 1 : code;
    }

    private static void fillScales(HostTensor t, SplittableRandom r, int low, int high) {
        for (long i = 0; i < t.scales().byteSize(); i++) {
            t.scales().set(ValueLayout.JAVA_BYTE, i, (byte) r.nextInt(low, high + 1));
        }
    }

    /** Values in {@code [low, high)}. */
    static Data uniform(double low, double high) {
        return (t, r) -> {
            for (long i = 0; i < t.size(); i++) {
                t.set(i, r.nextDouble(low, high));
            }
        };
    }

    /** Values of size one, and here and there 2^24 or -2^24: what is left where those cancel out depends on the order of the sum. */
    static Data cancelling() {
        return (t, r) -> {
            for (long i = 0; i < t.size(); i++) {
                t.set(i, r.nextInt(8) > 0 ? r.nextDouble(-2, 2) : r.nextBoolean() ? 0x1p24 : -0x1p24);
            }
        };
    }

    /** One value everywhere. */
    static Data constant(double value) {
        return (t, r) -> {
            for (long i = 0; i < t.size(); i++) {
                t.set(i, value);
            }
        };
    }

    /** The given values, repeated over the elements. */
    static Data of(double... values) {
        return (t, r) -> {
            for (long i = 0; i < t.size(); i++) {
                t.set(i, values[(int) (i % values.length)]);
            }
        };
    }

    /** The given integers. */
    static Data of(int[] values) {
        return (t, r) -> {
            for (long i = 0; i < t.size(); i++) {
                t.set(i, values[(int) i]);
            }
        };
    }

    /** Integers in {@code [low, high)}. */
    static Data ints(int low, int high) {
        return (t, r) -> {
            for (long i = 0; i < t.size(); i++) {
                t.set(i, r.nextInt(low, high));
            }
        };
    }

    /** Every code of the format, NaN included, and scale bytes over the whole range with 0 and 255 among them. */
    static Data allCodes() {
        return (t, r) -> {
            int codes = 1 << t.type().dtype().bits();
            for (long i = 0; i < t.size(); i++) {
                t.setCode(i, i % codes);
            }
            int[] edges = {0, 1, 254, 255, UNIT_SCALE};
            for (long i = 0; i < t.scales().byteSize(); i++) {
                int s = i < edges.length ? edges[(int) i] : r.nextInt(256);
                t.scales().set(ValueLayout.JAVA_BYTE, i, (byte) s);
            }
        };
    }

    /** Some scale bytes 0, the smallest power of two: their blocks must vanish against the others, not explode. */
    default Data withSmallestScales() {
        return (t, r) -> {
            fill(t, r);
            for (long i = 0; i < t.scales().byteSize(); i += 3) {
                t.scales().set(ValueLayout.JAVA_BYTE, i, (byte) 0);
            }
        };
    }

    /** NaN in the middle of the tensor, so that one row has one. */
    default Data withNan() {
        return (t, r) -> {
            fill(t, r);
            if (t.size() > 0 && t.type().dtype() != DType.F4_E2M1) {
                t.set(t.size() / 2, Float.NaN);
            }
        };
    }
}
