package dev.weft.text;

import dev.weft.CheckpointException;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts text into the pieces within which bytes may merge. Every step cuts the pieces of the step before it: each match
 * of its regex becomes a piece, and so does each gap between matches. A regex sees one piece at a time, so a lookahead
 * does not see into the next one.
 */
final class PreTokenizer {
    private final List<Step> steps;

    PreTokenizer(List<Step> steps) {
        this.steps = List.copyOf(steps);
    }

    /**
     * One cut.
     *
     * @param subject where the regex stands, for error messages
     */
    record Step(String subject, Pattern pattern) {}

    /** Receives pieces in order. */
    interface Sink {
        /** A piece from {@code start} to before {@code end}, not empty. */
        void piece(int start, int end);
    }

    void split(String text, Sink sink) {
        BoundedText bounded = new BoundedText(text);
        Matcher[] matchers = new Matcher[steps.size()];
        for (int i = 0; i < matchers.length; i++) {
            matchers[i] = steps.get(i).pattern().matcher(bounded);
        }
        split(matchers, 0, 0, text.length(), sink);
    }

    private void split(Matcher[] matchers, int step, int start, int end, Sink sink) {
        if (start == end) {
            return;
        }
        if (step == matchers.length) {
            sink.piece(start, end);
            return;
        }
        Matcher matcher = matchers[step].region(start, end);
        int gap = start;
        while (gap < end && find(matcher, step)) {
            if (matcher.end() > matcher.start()) {
                split(matchers, step + 1, gap, matcher.start(), sink);
                split(matchers, step + 1, matcher.start(), matcher.end(), sink);
                gap = matcher.end();
            }
        }
        split(matchers, step + 1, gap, end, sink);
    }

    private boolean find(Matcher matcher, int step) {
        try {
            return matcher.find();
        } catch (BoundedText.ExhaustedException | StackOverflowError e) {
            int characters = matcher.regionEnd() - matcher.regionStart();
            throw new CheckpointException(
                    steps.get(step).subject() + ": found a regex that backtracks too often or too deep on a text of "
                            + characters + " characters, expected one that reads it in about linear time",
                    e);
        }
    }
}
