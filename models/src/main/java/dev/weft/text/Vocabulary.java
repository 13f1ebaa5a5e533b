package dev.weft.text;

import dev.weft.RequestException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/** Tokens by id and ids by token. Ids may have holes. */
final class Vocabulary {
    private static final byte[] NO_BYTES = {};

    private final Map<String, Integer> ids;
    private final @Nullable String[] texts;
    private final byte[][] bytes;
    private final BitSet special;
    private final BitSet added = new BitSet();

    /**
     * @param ids every token with its id, ids distinct and not negative
     * @param added the tokens among them that stand for their own text instead of being spelled in the byte alphabet
     * @param special ids left out when special tokens are skipped
     */
    Vocabulary(Map<String, Integer> ids, Map<String, Integer> added, BitSet special) {
        this.ids = new HashMap<>(ids);
        this.special = special;
        int size = ids.values().stream().mapToInt(id -> id + 1).max().orElse(0);
        texts = new @Nullable String[size];
        bytes = new byte[size][];
        Arrays.fill(bytes, NO_BYTES);
        added.values().forEach(this.added::set);
        ids.forEach((token, id) -> {
            texts[id] = token;
            // The reference decoder also takes tokens outside the byte alphabet for plain text.
            bytes[id] = added.containsKey(token) || !ByteAlphabet.covers(token)
                    ? token.getBytes(StandardCharsets.UTF_8)
                    : ByteAlphabet.bytes(token);
        });
    }

    int size() {
        return texts.length;
    }

    OptionalInt id(String token) {
        Integer id = ids.get(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    boolean isSpecial(int id) {
        return special.get(id);
    }

    boolean isOrdinary(int id) {
        return id >= 0 && id < texts.length && texts[id] != null && !added.get(id);
    }

    String text(int id) {
        String text = id < 0 || id >= texts.length ? null : texts[id];
        if (text == null) {
            throw new RequestException(
                    "tokenizer: found id " + id + ", expected the id of a token (they are below " + texts.length + ")");
        }
        return text;
    }

    /** The bytes of a token, none for an id without token. The array is shared. */
    byte[] bytes(int id) {
        if (id < 0) {
            throw new RequestException("tokenizer: found id " + id + ", expected 0 or more");
        }
        return id < bytes.length ? bytes[id] : NO_BYTES;
    }
}
