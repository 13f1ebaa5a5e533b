package dev.weft.text;

import dev.weft.RequestException;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * Ends a text where the first of some strings is complete, the longest if several are; they may begin and end within tokens. Text is handed out as soon as no stop
 * string can begin in it; the stop string itself never is. One per generation, used by one thread.
 */
public final class StopStrings implements IntPredicate {
    private final StreamingDecoder decoder;
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private final StringBuilder ready = new StringBuilder();
    private boolean stopped;

    /** @param stops strings that end the text, none of them empty */
    public StopStrings(StreamingDecoder decoder, List<String> stops) {
        if (stops.stream().anyMatch(String::isEmpty)) {
            throw new RequestException("stop strings: found an empty one, expected one character or more");
        }
        this.decoder = decoder;
        this.stops = List.copyOf(stops);
    }

    /** Takes the next token. @return whether the text has ended */
    @Override
    public boolean test(int token) {
        if (!stopped) {
            take(decoder.append(token));
        }
        return stopped;
    }

    /** Character by character, so that the end does not depend on where tokens begin. */
    private void take(String piece) {
        for (int i = 0; i < piece.length() && !stopped; i++) {
            held.append(piece.charAt(i));
            int ended = endedBy();
            stopped = ended > 0;
            held.setLength(held.length() - ended);
        }
        int safe = stopped ? held.length() : held.length() - undecided();
        ready.append(held, 0, safe);
        held.delete(0, safe);
    }

    /** Length of the longest stop string that the text ends with now, 0 if it ends with none. */
    private int endedBy() {
        int longest = 0;
        for (String stop : stops) {
            int from = held.length() - stop.length();
            if (stop.length() > longest && from >= 0 && held.indexOf(stop, from) == from) {
                longest = stop.length();
            }
        }
        return longest;
    }

    /** Characters at the end with which a stop string may begin. */
    private int undecided() {
        int most = 0;
        for (String stop : stops) {
            for (int n = Math.min(stop.length() - 1, held.length()); n > most; n--) {
                if (stop.startsWith(held.substring(held.length() - n))) {
                    most = n;
                }
            }
        }
        return most;
    }

    /** The text since the last call that is certain to stay. */
    public String take() {
        String text = ready.toString();
        ready.setLength(0);
        return text;
    }

    /** The rest of a text that ended otherwise than at a stop string; empty if it ended at one. */
    public String finish() {
        if (!stopped) {
            take(decoder.finish());
        }
        ready.append(held);
        held.setLength(0);
        return take();
    }

    /** Whether a stop string has come. */
    public boolean hasStopped() {
        return stopped;
    }
}
