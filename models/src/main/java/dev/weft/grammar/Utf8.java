package dev.weft.grammar;

import java.util.ArrayList;
import java.util.List;

/** Sets of characters as expressions over their bytes. */
final class Utf8 {
    /** Last code points with one, two, three and four bytes. */
    private static final int[] LAST = {0x7F, 0x7FF, 0xFFFF, Character.MAX_CODE_POINT};

    private static final int CONTINUATION = 0x80;
    private static final int BITS = 6;

    private Utf8() {}

    /** One character of the set. */
    static Expr oneOf(CharSet set) {
        List<Expr> choices = new ArrayList<>();
        for (CharSet.Range range : set.ranges()) {
            int first = range.first();
            for (int length = 1; length <= LAST.length; length++) {
                int last = Math.min(range.last(), LAST[length - 1]);
                if (first <= last) {
                    split(first, last, length, choices);
                    first = last + 1;
                }
            }
        }
        return new Expr.Alt(choices);
    }

    /** Cuts a range of characters of equal length so that in every part each byte has a range of its own. */
    private static void split(int first, int last, int length, List<Expr> parts) {
        for (int trailing = 1; trailing < length; trailing++) {
            int low = (1 << (BITS * trailing)) - 1;
            if ((first & ~low) != (last & ~low)) {
                if ((first & low) != 0) {
                    split(first, first | low, length, parts);
                    split((first | low) + 1, last, length, parts);
                    return;
                }
                if ((last & low) != low) {
                    split(first, (last & ~low) - 1, length, parts);
                    split(last & ~low, last, length, parts);
                    return;
                }
            }
        }
        List<Expr> bytes = new ArrayList<>();
        for (int i = 0; i < length; i++) {
            bytes.add(new Expr.Range(byteOf(first, i, length), byteOf(last, i, length)));
        }
        parts.add(new Expr.Seq(bytes));
    }

    private static int byteOf(int character, int index, int length) {
        int bits = character >> (BITS * (length - 1 - index));
        if (index > 0) {
            return CONTINUATION | (bits & 0x3F);
        }
        return length == 1 ? bits : (0xF00 >> length & 0xFF) | bits;
    }
}
