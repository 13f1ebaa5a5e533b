package dev.weft.text;

/**
 * Text of tokens that arrive one by one. What the calls return, joined, equals {@link Tokenizer#decode(int...)} of all
 * ids. A character whose bytes are spread over several tokens is returned whole by the call that completes it; bytes
 * that cannot become a character appear as U+FFFD as soon as that is certain.
 *
 * <p>Not thread-safe; one decoder per generation.
 */
public final class StreamingDecoder {
    private final Vocabulary vocabulary;
    private final boolean skipSpecials;
    private final Utf8Decoder utf8 = new Utf8Decoder();

    StreamingDecoder(Vocabulary vocabulary, boolean skipSpecials) {
        this.vocabulary = vocabulary;
        this.skipSpecials = skipSpecials;
    }

    /**
     * The characters that this token completes, possibly none.
     *
     * @param id 0 or more; an id without token adds nothing
     */
    public String append(int id) {
        StringBuilder text = new StringBuilder();
        append(id, text);
        return text.toString();
    }

    /** Ends the text: U+FFFD if the last character is incomplete, else nothing. The decoder can then start anew. */
    public String finish() {
        StringBuilder text = new StringBuilder();
        finish(text);
        return text.toString();
    }

    void append(int id, StringBuilder text) {
        byte[] bytes = vocabulary.bytes(id);
        if (!skipSpecials || !vocabulary.isSpecial(id)) {
            utf8.append(bytes, text);
        }
    }

    void finish(StringBuilder text) {
        utf8.finish(text);
    }
}
