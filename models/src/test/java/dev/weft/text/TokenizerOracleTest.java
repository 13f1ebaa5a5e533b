package dev.weft.text;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/**
 * Agreement with the Rust tokenizers library on generated text. {@code -Dweft.test.oracle.megabytes=50} compares more than
 * the few megabytes of every build.
 */
class TokenizerOracleTest {
    private static final int MEGABYTES = Integer.getInteger("weft.test.oracle.megabytes", 1);
    private static final int TEXT_CHARS = 4000;

    @BeforeAll
    static void keepTheOracleHere(@TempDir Path cache) {
        System.setProperty("DJL_CACHE_DIR", cache.toString());
        System.setProperty("ENGINE_CACHE_DIR", cache.toString());
        System.setProperty("OPT_OUT_TRACKING", "true");
    }

    @Test
    void agreesOnAVocabularyOfManyMerges(@TempDir Path folder) throws IOException {
        TokenizerJson json = new TokenizerJson();
        grow(json, 3000);
        complete(json);
        compare(json.write(folder), 1);
    }

    @Test
    void agreesOnTheVocabularyOfTheDemoModel() throws IOException {
        compare(SharedData.demoModel().resolve("tokenizer.json"), 2);
    }

    private static void compare(Path file, long seed) throws IOException {
        Tokenizer tokenizer = Tokenizer.load(file);
        Map<String, String> options = Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false");
        try (HuggingFaceTokenizer oracle = HuggingFaceTokenizer.newInstance(file, options)) {
            MixedText texts = new MixedText(seed);
            long bytes = 0;
            long tokens = 0;
            while (bytes < MEGABYTES * 1_000_000L) {
                String text = texts.next(TEXT_CHARS);
                int[] ids = tokenizer.encode(text);
                int[] expected = Arrays.stream(oracle.encode(text, false, false).getIds())
                        .mapToInt(Math::toIntExact)
                        .toArray();
                if (!Arrays.equals(ids, expected)) {
                    int at = Arrays.mismatch(ids, expected);
                    assertThat(around(tokenizer, ids, at))
                            .as("text " + text)
                            .isEqualTo(around(tokenizer, expected, at));
                }
                bytes += text.getBytes(StandardCharsets.UTF_8).length;
                tokens += ids.length;
            }
            assertThat(tokens).as("some merging took place").isBetween(bytes / 20, bytes);
        }
    }

    private static List<String> around(Tokenizer tokenizer, int[] ids, int at) {
        return Arrays.stream(ids, Math.max(0, at - 3), Math.min(ids.length, at + 6))
                .mapToObj(tokenizer::tokenText)
                .toList();
    }

    /** Adds the fields that the oracle asks for. */
    private static void complete(TokenizerJson json) {
        json.array("added_tokens")
                .forEach(t -> ((ObjectNode) t)
                        .put("single_word", false)
                        .put("lstrip", false)
                        .put("rstrip", false)
                        .put("normalized", false));
        json.step(3).put("trim_offsets", true);
    }

    /** Adds merges as training does: again and again the most frequent pair of neighbours, many at a time. */
    private static void grow(TokenizerJson json, int merges) {
        Map<List<String>, Integer> pieces = new HashMap<>();
        String text = new MixedText(77).next(80_000);
        ObjectNode section = (ObjectNode) json.root.get("pre_tokenizer");
        PreTokenizerSection.read(new JsonField("test", "pre_tokenizer", section))
                .split(text, (start, end) -> pieces.merge(symbols(text.substring(start, end)), 1, Integer::sum));
        Set<String> known = new HashSet<>();
        json.vocab().propertyNames().forEach(known::add);
        List<List<String>> words = new ArrayList<>();
        List<Integer> counts = new ArrayList<>();
        pieces.forEach((word, count) -> {
            words.add(new ArrayList<>(word));
            counts.add(count);
        });
        while (known.size() < merges) {
            Map<List<String>, Integer> pairs = new HashMap<>();
            for (int w = 0; w < words.size(); w++) {
                List<String> word = words.get(w);
                for (int i = 0; i + 1 < word.size(); i++) {
                    pairs.merge(List.of(word.get(i), word.get(i + 1)), counts.get(w), Integer::sum);
                }
            }
            List<List<String>> best = pairs.entrySet().stream()
                    .sorted(Map.Entry.<List<String>, Integer>comparingByValue()
                            .reversed()
                            .thenComparing(e -> e.getKey().toString()))
                    .limit(300)
                    .map(Map.Entry::getKey)
                    .toList();
            if (best.isEmpty()) {
                break;
            }
            Map<List<String>, Integer> ranks = new HashMap<>();
            for (List<String> pair : best) {
                String merged = pair.get(0) + pair.get(1);
                if (known.add(merged)) {
                    // ids above the added tokens of the small file
                    json.vocab().put(merged, 1000 + json.merges().size());
                    json.merges().addArray().add(pair.get(0)).add(pair.get(1));
                }
                ranks.put(pair, ranks.size());
            }
            words.forEach(word -> apply(word, ranks));
        }
        assertThat(json.merges().size()).isGreaterThan(2500);
    }

    private static void apply(List<String> word, Map<List<String>, Integer> ranks) {
        for (int i = 0; i + 1 < word.size(); i++) {
            if (ranks.containsKey(List.of(word.get(i), word.get(i + 1)))) {
                word.set(i, word.get(i) + word.remove(i + 1));
            }
        }
    }

    private static List<String> symbols(String piece) {
        List<String> symbols = new ArrayList<>();
        for (byte b : piece.getBytes(StandardCharsets.UTF_8)) {
            symbols.add(ByteAlphabet.symbol(b & 0xFF));
        }
        return symbols;
    }
}
