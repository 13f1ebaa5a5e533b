package dev.weft.grammar;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** A set of characters: disjoint ranges of code points in ascending order, without surrogates. */
record CharSet(List<Range> ranges) {
    private static final int FIRST_SURROGATE = 0xD800;
    private static final int LAST_SURROGATE = 0xDFFF;

    /** Every character. */
    static final CharSet ALL = of(0, Character.MAX_CODE_POINT);

    /** Code points from {@code first} to {@code last}. */
    record Range(int first, int last) {}

    static CharSet of(int first, int last) {
        return union(List.of(new Range(first, last)));
    }

    static CharSet of(int character) {
        return of(character, character);
    }

    /** The characters of a text, ASCII. */
    static CharSet of(String characters) {
        return union(characters.chars().mapToObj(c -> new Range(c, c)).toList());
    }

    CharSet or(CharSet other) {
        List<Range> both = new ArrayList<>(ranges);
        both.addAll(other.ranges);
        return union(both);
    }

    CharSet complement() {
        List<Range> gaps = new ArrayList<>();
        int next = 0;
        for (Range range : ranges) {
            if (range.first > next) {
                gaps.add(new Range(next, range.first - 1));
            }
            next = range.last + 1;
        }
        if (next <= Character.MAX_CODE_POINT) {
            gaps.add(new Range(next, Character.MAX_CODE_POINT));
        }
        return union(gaps);
    }

    CharSet without(CharSet other) {
        return complement().or(other).complement();
    }

    /** The part between two code points. */
    CharSet within(int first, int last) {
        return union(ranges.stream()
                .filter(r -> r.first <= last && r.last >= first)
                .map(r -> new Range(Math.max(r.first, first), Math.min(r.last, last)))
                .toList());
    }

    private static CharSet union(List<Range> ranges) {
        List<Range> sorted = new ArrayList<>();
        for (Range r : ranges) {
            if (r.first < FIRST_SURROGATE) {
                sorted.add(new Range(r.first, Math.min(r.last, FIRST_SURROGATE - 1)));
            }
            if (r.last > LAST_SURROGATE) {
                sorted.add(new Range(Math.max(r.first, LAST_SURROGATE + 1), r.last));
            }
        }
        sorted.sort(Comparator.comparingInt(Range::first));
        List<Range> merged = new ArrayList<>();
        for (Range r : sorted) {
            if (!merged.isEmpty() && r.first <= merged.getLast().last + 1) {
                Range before = merged.removeLast();
                merged.add(new Range(before.first, Math.max(before.last, r.last)));
            } else {
                merged.add(r);
            }
        }
        return new CharSet(List.copyOf(merged));
    }
}
