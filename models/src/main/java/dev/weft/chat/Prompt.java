package dev.weft.chat;

import dev.weft.CheckpointException;
import dev.weft.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.stream.IntStream;

/**
 * An encoded prompt: its text, and which parts of it are special tokens. Only parts that the encoder wrote are, so that
 * text of users cannot forge a turn or a tool call, whatever it spells.
 */
public final class Prompt {
    private final String text;
    private final List<Span> specials;

    private Prompt(String text, List<Span> specials) {
        this.text = text;
        this.specials = specials;
    }

    /** A special token at characters start (inclusive) to end (exclusive). */
    private record Span(int start, int end) {}

    /** The whole prompt as one string, special tokens spelled out. */
    public String text() {
        return text;
    }

    /**
     * The ids of the prompt. Equal to {@link Tokenizer#encodeWithSpecials} of {@link #text} unless a message spells a
     * special token; that stays ordinary text here.
     *
     * @throws CheckpointException if the tokenizer lacks a special token of the prompt
     */
    public int[] ids(Tokenizer tokenizer) {
        IntStream.Builder ids = IntStream.builder();
        int position = 0;
        for (Span special : specials) {
            add(tokenizer.encode(text.substring(position, special.start)), ids);
            String token = text.substring(special.start, special.end);
            ids.add(tokenizer
                    .idOf(token)
                    .orElseThrow(() -> new CheckpointException("tokenizer: has no token '" + token
                            + "', which the prompt contains; expected the tokenizer.json of a V4 checkpoint")));
            position = special.end;
        }
        add(tokenizer.encode(text.substring(position)), ids);
        return ids.build().toArray();
    }

    private static void add(int[] some, IntStream.Builder ids) {
        for (int id : some) {
            ids.add(id);
        }
    }

    /** The same as {@link #text}. */
    @Override
    public String toString() {
        return text;
    }

    /** Writes a prompt from left to right. */
    static final class Builder {
        private final StringBuilder text = new StringBuilder();
        private final List<Span> specials = new ArrayList<>();

        /** One special token. */
        Builder token(String spelling) {
            specials.add(new Span(text.length(), text.length() + spelling.length()));
            text.append(spelling);
            return this;
        }

        /** Text from outside: no special token, whatever it spells. */
        Builder text(String ordinary) {
            text.append(ordinary);
            return this;
        }

        /** Text of the format itself, in which special tokens stand for themselves. */
        Builder constant(String trusted) {
            Matcher matcher = SpecialTokens.IN_CONSTANT_TEXT.matcher(trusted);
            while (matcher.find()) {
                specials.add(new Span(text.length() + matcher.start(), text.length() + matcher.end()));
            }
            text.append(trusted);
            return this;
        }

        Prompt build() {
            return new Prompt(text.toString(), List.copyOf(specials));
        }
    }
}
