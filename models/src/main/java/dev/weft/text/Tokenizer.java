package dev.weft.text;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Byte-level byte-pair encoding as in a checkpoint's {@code tokenizer.json} (specification 8.1): no normaliser, no
 * prefix space, no automatic begin or end of sentence. Text is cut into pieces by the file's regexes, every piece is
 * spelled in bytes, and neighbours merge in the order of the file's merges, the leftmost of equal ones first. The time
 * is nearly linear in the length of the text, whatever it contains.
 *
 * <p>Added tokens, such as begin of sentence, come only from {@link #encodeWithSpecials}. {@link #encode} never yields
 * one, so text of users cannot forge a turn or a tool call; a file in which it could is refused.
 *
 * <p>The regexes are Oniguruma's, run by {@link java.util.regex}. {@code \s} is Unicode White_Space; categories such as
 * {@code \p{L}} have the Unicode version of the Java runtime (16 in Java 25), so characters of a later version may be
 * cut into other pieces than by the reference. That changes ids, never the text they decode to.
 *
 * <p>Unpaired surrogates in text are encoded as U+FFFD. Thread-safe.
 */
public final class Tokenizer {
    private static final int CACHED_PIECE = 24;
    private static final int CACHE_SIZE = 1 << 15;

    private final Vocabulary vocabulary;
    private final AddedTokens addedTokens;
    private final PreTokenizer preTokenizer;
    private final BytePairMerger merger;
    private final Map<String, int[]> cache = new ConcurrentHashMap<>();

    Tokenizer(Vocabulary vocabulary, AddedTokens addedTokens, PreTokenizer preTokenizer, BytePairMerger merger) {
        this.vocabulary = vocabulary;
        this.addedTokens = addedTokens;
        this.preTokenizer = preTokenizer;
        this.merger = merger;
    }

    /**
     * Reads a tokenizer.
     *
     * @param tokenizerJson a {@code tokenizer.json} of a byte-level byte-pair encoding
     * @throws dev.weft.CheckpointException if the file is unreadable, wrong, or needs something that is not supported
     */
    public static Tokenizer load(Path tokenizerJson) {
        return TokenizerFile.load(tokenizerJson);
    }

    /**
     * The ids of ordinary text. Spellings of added tokens in it are text like any other.
     *
     * @throws dev.weft.CheckpointException if a regex of the file backtracks without end on this text
     */
    public int[] encode(String text) {
        IntList ids = new IntList();
        encode(Surrogates.replaceUnpaired(text), ids);
        return ids.toArray();
    }

    /**
     * The ids of text in which added tokens stand for themselves: they are cut out first, the leftmost and of those the
     * longest, and what lies between is encoded piece by piece. Only for text from a trusted source.
     *
     * @throws dev.weft.CheckpointException if a regex of the file backtracks without end on this text
     */
    public int[] encodeWithSpecials(String text) {
        IntList ids = new IntList();
        addedTokens.cut(Surrogates.replaceUnpaired(text), new AddedTokens.Visitor() {
            @Override
            public void text(String between) {
                encode(between, ids);
            }

            @Override
            public void token(int id) {
                ids.add(id);
            }
        });
        return ids.toArray();
    }

    /**
     * The text of the ids, special tokens included. The bytes of all tokens are joined and then read as UTF-8; what is
     * no character becomes U+FFFD. Ids without token (holes in the vocabulary, padding rows of the model) add nothing.
     *
     * @throws dev.weft.RequestException if an id is negative
     */
    public String decode(int... ids) {
        return decode(ids, false);
    }

    /**
     * The text of the ids.
     *
     * @param skipSpecials whether to leave out the tokens that the file marks as special. Added tokens without that
     *     mark, such as {@code <think>}, stay
     * @throws dev.weft.RequestException if an id is negative
     */
    public String decode(int[] ids, boolean skipSpecials) {
        StreamingDecoder decoder = decoder(skipSpecials);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            decoder.append(id, text);
        }
        decoder.finish(text);
        return text.toString();
    }

    /** A decoder for tokens that arrive one by one, special tokens included. */
    public StreamingDecoder decoder() {
        return decoder(false);
    }

    /** A decoder for tokens that arrive one by one; {@code skipSpecials} as in {@link #decode(int[], boolean)}. */
    public StreamingDecoder decoder(boolean skipSpecials) {
        return new StreamingDecoder(vocabulary, skipSpecials);
    }

    /** One more than the highest id. Ids below may be unused, and the model may have more rows. */
    public int vocabularySize() {
        return vocabulary.size();
    }

    /** The id of a token in the spelling of the file: added tokens as they are, others in the GPT-2 byte alphabet. */
    public OptionalInt idOf(String token) {
        return vocabulary.id(token);
    }

    /**
     * The token in the spelling of the file, the inverse of {@link #idOf}.
     *
     * @throws dev.weft.RequestException if no token has this id
     */
    public String tokenText(int id) {
        return vocabulary.text(id);
    }

    /**
     * The bytes that a token decodes to, none if no token has this id. They need not be UTF-8.
     *
     * @throws dev.weft.RequestException if the id is negative
     */
    public byte[] bytesOf(int id) {
        return vocabulary.bytes(id).clone();
    }

    /** Whether an id is a token of ordinary text: not an added one, such as begin of sentence, and not a hole. */
    public boolean isOrdinary(int id) {
        return vocabulary.isOrdinary(id);
    }

    private void encode(String text, IntList ids) {
        preTokenizer.split(text, (start, end) -> encodePiece(text.substring(start, end), ids));
    }

    private void encodePiece(String piece, IntList ids) {
        if (piece.length() > CACHED_PIECE) {
            merger.encode(piece.getBytes(StandardCharsets.UTF_8), ids);
            return;
        }
        int[] cached = cache.get(piece);
        if (cached == null) {
            IntList merged = new IntList();
            merger.encode(piece.getBytes(StandardCharsets.UTF_8), merged);
            cached = merged.toArray();
            if (cache.size() < CACHE_SIZE) {
                cache.put(piece, cached);
            }
        }
        ids.addAll(cached);
    }
}
