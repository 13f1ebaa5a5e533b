package dev.weft.grammar;

import dev.weft.RequestException;
import dev.weft.text.Tokenizer;
import java.util.Arrays;

/**
 * The tokens that a model can generate, as bytes. Made once for a model, shared by all grammars. Immutable.
 *
 * <p>Tokens that are no ordinary text, such as begin of sentence, are never part of a constrained text.
 */
public final class TokenVocabulary {
    private static final byte[] NO_TEXT = {};

    private final byte[][] bytes;
    private final int end;
    private final TokenTrie trie;

    private TokenVocabulary(byte[][] bytes, int end) {
        this.bytes = bytes;
        this.end = end;
        this.trie = new TokenTrie(bytes);
        if (end < 0 || end >= bytes.length) {
            throw new RequestException(
                    "vocabulary: found end of sequence " + end + ", expected an id below " + bytes.length);
        }
        for (int value = 0; value < 256; value++) {
            int node = trie.child(0, value);
            if (node == TokenTrie.NO_NODE || !trie.hasToken(node)) {
                throw new RequestException("vocabulary: found no token for the single byte " + value
                        + ", expected one for every byte: a byte-level vocabulary");
            }
        }
    }

    /**
     * The vocabulary of a model.
     *
     * @param tokenizer of the model
     * @param size number of logits; ids that the tokenizer does not know are never allowed
     * @param end id of the end of the sequence
     * @throws RequestException if the end is no id, or a byte has no token of its own
     */
    public static TokenVocabulary of(Tokenizer tokenizer, int size, int end) {
        byte[][] bytes = new byte[size][];
        for (int id = 0; id < size; id++) {
            bytes[id] = id != end && tokenizer.isOrdinary(id) ? tokenizer.bytesOf(id) : NO_TEXT;
        }
        return new TokenVocabulary(bytes, end);
    }

    /**
     * A vocabulary from the bytes of its tokens.
     *
     * @param bytes of every token; empty for tokens that are no text
     * @param end id of the end of the sequence, whose bytes do not count
     * @throws RequestException if the end is no id, or a byte has no token of its own
     */
    public static TokenVocabulary of(byte[][] bytes, int end) {
        byte[][] copy = Arrays.stream(bytes).map(byte[]::clone).toArray(byte[][]::new);
        if (end >= 0 && end < copy.length) {
            copy[end] = NO_TEXT;
        }
        return new TokenVocabulary(copy, end);
    }

    /** Number of ids. */
    public int size() {
        return bytes.length;
    }

    /** Id of the end of the sequence. */
    public int end() {
        return end;
    }

    /** The bytes of a token, shared. */
    byte[] bytes(int id) {
        return bytes[id];
    }

    TokenTrie trie() {
        return trie;
    }
}
