package dev.weft.text;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/** Gathers the tokens of a file section by section; after every section the tables are consistent. */
final class TokenTables {
    private static final int HIGHEST_ID = (1 << 22) - 1;
    private static final int LONGEST_TOKEN = 1 << 16;

    /** Added tokens are tried at every position of a text, so their length is a factor of the time. */
    private static final int LONGEST_ADDED_TOKEN = 1024;

    private final Map<String, Integer> ids = new HashMap<>();
    private final Map<Integer, String> tokens = new HashMap<>();
    private final Map<String, Integer> added = new HashMap<>();
    private final BitSet special = new BitSet();

    /** {@code model.vocab}: an object of token to id. */
    void readVocabulary(JsonField section) {
        section.object().node().propertyStream().forEach(entry -> {
            JsonField field = section.child(entry.getKey());
            checkText(section, entry.getKey(), LONGEST_TOKEN);
            put(section, entry.getKey(), field.index(HIGHEST_ID));
        });
    }

    /** {@code added_tokens}: may be absent, may repeat tokens of the vocabulary. */
    void readAddedTokens(JsonField section) {
        int size = section.isAbsent() ? 0 : section.array().node().size();
        for (int i = 0; i < size; i++) {
            JsonField entry = section.element(i).object();
            refuse(entry.child("single_word"));
            refuse(entry.child("lstrip"));
            refuse(entry.child("rstrip"));
            String token = entry.child("content").string();
            checkText(entry.child("content"), token, LONGEST_ADDED_TOKEN);
            int id = entry.child("id").index(HIGHEST_ID);
            put(entry, token, id);
            if (added.put(token, id) != null) {
                throw entry.wrong("token " + JsonField.quote(token) + " twice", "distinct tokens");
            }
            if (entry.child("special").flagOr(false)) {
                special.set(id);
            }
        }
    }

    /** The ids of the 256 byte symbols. */
    int[] byteIds(JsonField section) {
        int[] byteIds = new int[256];
        for (int value = 0; value < byteIds.length; value++) {
            String symbol = ByteAlphabet.symbol(value);
            Integer id = ids.get(symbol);
            if (id == null) {
                throw section.wrong(
                        ids.size() + " tokens without " + JsonField.quote(symbol) + ", the symbol of byte " + value,
                        "the symbols of all 256 bytes");
            }
            checkOrdinary(section, symbol);
            byteIds[value] = id;
        }
        return byteIds;
    }

    /** {@code model.merges}: pairs, or the older form of two tokens with a space between. */
    MergeTable readMerges(JsonField section) {
        int size = section.array().node().size();
        MergeTable merges = new MergeTable(size);
        for (int i = 0; i < size; i++) {
            JsonField merge = section.element(i);
            String[] pair = pair(merge);
            String result = pair[0] + pair[1];
            int rank = merges.add(mergeable(merge, pair[0]), mergeable(merge, pair[1]), mergeable(merge, result));
            if (rank != MergeTable.NONE) {
                throw merge.wrong("the pair of merge " + rank + " again", "distinct pairs");
            }
            checkOrdinary(merge, result);
        }
        return merges;
    }

    AddedTokens addedTokens() {
        return new AddedTokens(added);
    }

    Vocabulary vocabulary() {
        return new Vocabulary(ids, added, special);
    }

    private void put(JsonField place, String token, int id) {
        String other = tokens.putIfAbsent(id, token);
        if (other != null && !other.equals(token)) {
            throw place.wrong(
                    "id " + id + " for " + JsonField.quote(token) + " and for " + JsonField.quote(other),
                    "distinct ids");
        }
        Integer otherId = ids.putIfAbsent(token, id);
        if (otherId != null && otherId != id) {
            throw place.wrong("ids " + otherId + " and " + id + " for " + JsonField.quote(token), "one id for a token");
        }
    }

    private static void checkText(JsonField place, String token, int longest) {
        if (token.isEmpty() || token.length() > longest) {
            throw place.wrong("a token of " + token.length() + " characters", "1 to " + longest + " characters");
        }
        if (!Surrogates.arePaired(token)) {
            throw place.wrong("a token with an unpaired surrogate", "Unicode text");
        }
    }

    private static void refuse(JsonField flag) {
        if (flag.flagOr(false)) {
            throw flag.wrong("false");
        }
    }

    /** User text must never become a control token, so neither bytes nor merges may lead to an added one. */
    private void checkOrdinary(JsonField place, String token) {
        if (added.containsKey(token)) {
            throw place.wrong(
                    "added token " + JsonField.quote(token) + " as the spelling of ordinary text",
                    "added tokens apart from bytes and merges");
        }
    }

    private static String[] pair(JsonField merge) {
        if (merge.node().isArray()) {
            if (merge.node().size() != 2) {
                throw merge.wrong("two tokens");
            }
            return new String[] {merge.element(0).string(), merge.element(1).string()};
        }
        String both = merge.string();
        int space = both.indexOf(' ');
        if (space < 0 || space != both.lastIndexOf(' ')) {
            throw merge.wrong("two tokens with a space between");
        }
        return new String[] {both.substring(0, space), both.substring(space + 1)};
    }

    private int mergeable(JsonField merge, String token) {
        Integer id = ids.get(token);
        if (id == null || !ByteAlphabet.covers(token)) {
            throw merge.wrong(
                    JsonField.quote(token) + (id == null ? ", which is no token" : ", which is not spelled in bytes"),
                    "tokens of the vocabulary");
        }
        return id;
    }
}
