package dev.weft.cli;

import dev.weft.text.StopStrings;
import dev.weft.text.StreamingDecoder;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Text of the tokens that a generation yields, handed on as it completes, with the time each phase took. */
final class StreamedText {
    private final @Nullable StreamingDecoder decoder;
    private final @Nullable StopStrings stops;
    private final Consumer<String> sink;
    private final StringBuilder all = new StringBuilder();
    private final long start = System.nanoTime();
    private long first;
    private long last;
    private int tokens;

    /**
     * Starts the clock.
     *
     * @param decoder null for a model without tokenizer, whose tokens are shown as numbers
     * @param stops has taken a token before this does, and says which text stays; null without stop strings
     */
    StreamedText(@Nullable StreamingDecoder decoder, @Nullable StopStrings stops, Consumer<String> sink) {
        this.decoder = decoder;
        this.stops = stops;
        this.sink = sink;
    }

    /** Starts the clock, without stop strings. */
    StreamedText(@Nullable StreamingDecoder decoder, Consumer<String> sink) {
        this(decoder, null, sink);
    }

    /** Takes the next token. @param silent whether it is counted but not shown, as the end of the sequence */
    void accept(int id, boolean silent) {
        last = System.nanoTime();
        if (tokens++ == 0) {
            first = last;
        }
        if (!silent) {
            emit(piece(id));
        }
    }

    private String piece(int id) {
        if (stops != null) {
            return stops.take();
        }
        return decoder == null ? id + " " : decoder.append(id);
    }

    /** Ends the text. */
    void finish() {
        if (stops != null) {
            emit(stops.finish());
        } else if (decoder != null) {
            emit(decoder.finish());
        }
    }

    private void emit(String piece) {
        if (!piece.isEmpty()) {
            all.append(piece);
            sink.accept(piece);
        }
    }

    String text() {
        return all.toString();
    }

    /** From the start to the first token. */
    long prefillNanos() {
        return tokens == 0 ? System.nanoTime() - start : first - start;
    }

    /** From the first token to the last. */
    long decodeNanos() {
        return last - first;
    }

    /** Tokens taken. */
    int tokens() {
        return tokens;
    }

    /** Steps between the first token and the last. */
    int decodeSteps() {
        return Math.max(0, tokens - 1);
    }
}
