package dev.weft.chat;

import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Looks for markers in text that arrives piece by piece. Text that cannot be part of a marker is passed on at once; the
 * rest is held back until more arrives, which is never more than the longest marker. Every character is looked at a
 * bounded number of times, however the text is cut.
 */
final class MarkerScanner {
    private static final int COMPACT = 1 << 12;

    private final StringBuilder pending = new StringBuilder();
    private int position;
    private boolean complete;

    void append(CharSequence piece) {
        if (position > COMPACT) {
            pending.delete(0, position);
            position = 0;
        }
        pending.append(piece);
    }

    /** No more text comes: what is held back is text after all. */
    void complete() {
        complete = true;
    }

    /**
     * Passes on the text before the first marker, and reads that marker.
     *
     * @param markers none is the beginning of another
     * @return the marker, null if there is none yet; the text is then passed on except for what may begin one
     */
    @Nullable
    String readUntil(List<String> markers, Consumer<String> text) {
        int end = pending.length();
        for (int i = position; i < pending.length(); i++) {
            int length = matchAt(i, markers);
            if (length > 0) {
                String marker = pending.substring(i, i + length);
                passOn(i, text);
                position += length;
                return marker;
            }
            if (length < 0 && !complete) {
                end = i;
                break;
            }
        }
        if (!complete
                && end == pending.length()
                && end > position
                && Character.isHighSurrogate(pending.charAt(end - 1))) {
            end--; // half a character
        }
        passOn(end, text);
        return null;
    }

    private void passOn(int end, Consumer<String> text) {
        if (end > position) {
            text.accept(pending.substring(position, end));
            position = end;
        }
    }

    /** Length of the marker at a place, 0 if there is none, -1 if that depends on text to come. */
    private int matchAt(int start, List<String> markers) {
        boolean open = false;
        for (String marker : markers) {
            int matched = 0;
            while (matched < marker.length()
                    && start + matched < pending.length()
                    && pending.charAt(start + matched) == marker.charAt(matched)) {
                matched++;
            }
            if (matched == marker.length()) {
                return matched;
            }
            open |= start + matched == pending.length();
        }
        return open ? -1 : 0;
    }

    /** Whether the text goes on with a marker, which is then read; null if that depends on text to come. */
    @Nullable
    Boolean readIfNext(String marker) {
        int length = matchAt(position, List.of(marker));
        if (length < 0 && !complete) {
            return null;
        }
        position += Math.max(0, length);
        return length > 0;
    }
}
