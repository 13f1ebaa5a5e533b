package dev.weft.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.weft.CheckpointException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Wrong files end in a {@link CheckpointException} that names the place, or load with a defined meaning. */
class TokenizerFileTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    @TempDir
    private Path folder;

    private static Arguments wrong(String place, String found, Consumer<TokenizerJson> change) {
        return arguments(place, found, change);
    }

    private static ArrayNode merge(TokenizerJson json, String left, String right) {
        return json.merges().addArray().add(left).add(right);
    }

    private static ObjectNode added(TokenizerJson json, int index) {
        return (ObjectNode) json.array("added_tokens").get(index);
    }

    static Stream<Arguments> wrongFiles() {
        return Stream.of(
                wrong("model", "nothing", json -> json.root.remove("model")),
                wrong("model", "an array of 0", json -> json.root.putArray("model")),
                wrong("model.type", "\"Unigram\"", json -> json.model().put("type", "Unigram")),
                wrong("model.type", "7", json -> json.model().put("type", 7)),
                wrong("model.dropout", "0.5", json -> json.model().put("dropout", 0.5)),
                wrong("model.byte_fallback", "true", json -> json.model().put("byte_fallback", true)),
                wrong("model.byte_fallback", "\"no\"", json -> json.model().put("byte_fallback", "no")),
                wrong("model.ignore_merges", "true", json -> json.model().put("ignore_merges", true)),
                wrong("model.end_of_word_suffix", "\"x\"", json -> json.model().put("end_of_word_suffix", "x")),
                wrong(
                        "normalizer",
                        "an object",
                        json -> json.root.putObject("normalizer").put("type", "NFC")),
                wrong(
                        "decoder.type",
                        "\"WordPiece\"",
                        json -> json.root.putObject("decoder").put("type", "WordPiece")),
                wrong("model.vocab", "nothing", json -> json.model().remove("vocab")),
                wrong("model.vocab", "an array of 0", json -> json.model().putArray("vocab")),
                wrong("model.vocab", "1 tokens without", json -> {
                    json.model().putObject("vocab");
                    json.root.putArray("added_tokens");
                    TokenizerJson.added(json.array("added_tokens"), "x", 3, true);
                }),
                wrong("model.vocab", "0 tokens without", json -> {
                    json.model().putObject("vocab");
                    json.root.remove("added_tokens");
                }),
                wrong(
                        "model.vocab",
                        "the symbol of byte 97",
                        json -> json.vocab().remove("a")),
                wrong("model.vocab.z", "-1", json -> json.vocab().put("z", -1)),
                wrong("model.vocab.z", "2147483647", json -> json.vocab().put("z", Integer.MAX_VALUE)),
                wrong(
                        "model.vocab.z",
                        "9223372036854775807",
                        json -> json.vocab().put("z", Long.MAX_VALUE)),
                wrong("model.vocab.z", "1.5", json -> json.vocab().put("z", 1.5)),
                wrong("model.vocab.z", "\"3\"", json -> json.vocab().put("z", "3")),
                wrong("model.vocab.z", "null", json -> json.vocab().putNull("z")),
                wrong("model.vocab", "id 1 for", json -> json.vocab().put("z", 1)),
                wrong(
                        "model.vocab",
                        "a token of 0 characters",
                        json -> json.vocab().put("", 390)),
                wrong("", "surrogate", json -> json.vocab().put("\uD83D", 390)),
                wrong("model.vocab", "100000 characters", json -> json.vocab().put("x".repeat(100_000), 390)),
                wrong("", "broken JSON", json -> json.vocab().put("x".repeat(10 << 20), 390)),
                wrong("model.merges", "nothing", json -> json.model().remove("merges")),
                wrong("model.merges", "\"a b\"", json -> json.model().put("merges", "a b")),
                wrong("model.merges[12]", "\"zz\", which is no token", json -> merge(json, "zz", "a")),
                wrong("model.merges[12]", "\"zz\", which is no token", json -> merge(json, "a", "zz")),
                wrong("model.merges[12]", "\"zz\", which is no token", json -> merge(json, "z", "z")),
                wrong("model.merges[12]", "\"\", which is no token", json -> merge(json, "a", "")),
                wrong("model.merges[12]", "\"\", which is no token", json -> merge(json, "", "a")),
                wrong("model.merges[12]", "the pair of merge 0 again", json -> merge(json, "Ġ", "t")),
                wrong("model.merges[12]", "not spelled in bytes", json -> {
                    json.vocab().put("你", 390).put("你a", 391);
                    merge(json, "你", "a");
                }),
                wrong("model.merges[12]", "added token \"<t\"", json -> {
                    json.vocab().put("<t", 390);
                    TokenizerJson.added(json.array("added_tokens"), "<t", 390, true);
                    merge(json, "<", "t");
                }),
                wrong(
                        "model.merges[12]",
                        "an array of 3",
                        json -> merge(json, "a", "a").add("a")),
                wrong("model.merges[12]", "\"a\"", json -> json.merges().add("a")),
                wrong("model.merges[12]", "\"a a a\"", json -> json.merges().add("a a a")),
                wrong("model.merges[12]", "7", json -> json.merges().add(7)),
                wrong(
                        "model.merges[12][1]",
                        "7",
                        json -> json.merges().addArray().add("a").add(7)),
                wrong("added_tokens", "an object", json -> json.root.putObject("added_tokens")),
                wrong("added_tokens[1].id", "-5", json -> added(json, 1).put("id", -5)),
                wrong("added_tokens[1].id", "4194304", json -> added(json, 1).put("id", 1 << 22)),
                wrong("added_tokens[1].id", "nothing", json -> added(json, 1).remove("id")),
                wrong(
                        "added_tokens[1].content",
                        "nothing",
                        json -> added(json, 1).remove("content")),
                wrong(
                        "added_tokens[1].content",
                        "a token of 0",
                        json -> added(json, 1).put("content", "")),
                wrong(
                        "added_tokens[1].content",
                        "10485760 characters",
                        json -> added(json, 1).put("content", "x".repeat(10 << 20))),
                wrong(
                        "added_tokens[1].content",
                        "unpaired",
                        json -> added(json, 1).put("content", "\uDC00")),
                wrong("added_tokens[1].lstrip", "true", json -> added(json, 1).put("lstrip", true)),
                wrong("added_tokens[1].special", "1", json -> added(json, 1).put("special", 1)),
                wrong("added_tokens[1]", "id 5 for", json -> added(json, 1).put("id", 5)),
                wrong("added_tokens[0]", "ids 0 and 390", json -> added(json, 0).put("id", 390)),
                wrong(
                        "added_tokens[4]",
                        "twice",
                        json -> TokenizerJson.added(json.array("added_tokens"), TokenizerJson.USER, 400, true)),
                wrong(
                        "model.vocab",
                        "added token \"a\"",
                        json -> TokenizerJson.added(
                                json.array("added_tokens"),
                                "a",
                                json.vocab().get("a").intValue(),
                                false)),
                wrong("pre_tokenizer", "nothing", json -> json.root.remove("pre_tokenizer")),
                wrong("pre_tokenizer", "null", json -> json.root.putNull("pre_tokenizer")),
                wrong(
                        "pre_tokenizer.type",
                        "\"Metaspace\"",
                        json -> json.root.putObject("pre_tokenizer").put("type", "Metaspace")),
                wrong(
                        "pre_tokenizer.pretokenizers",
                        "0 steps",
                        json -> json.root
                                .putObject("pre_tokenizer")
                                .put("type", "Sequence")
                                .putArray("pretokenizers")),
                wrong("pretokenizers[3].type", "\"Split\"", json -> json.step(3).put("type", "Split")),
                wrong(
                        "pretokenizers[3].add_prefix_space",
                        "true",
                        json -> json.step(3).put("add_prefix_space", true)),
                wrong(
                        "pretokenizers[0].type",
                        "\"Digits\"",
                        json -> json.step(0).put("type", "Digits")),
                wrong(
                        "pretokenizers[0].behavior",
                        "\"Removed\"",
                        json -> json.step(0).put("behavior", "Removed")),
                wrong("pretokenizers[0].invert", "true", json -> json.step(0).put("invert", true)),
                wrong("pretokenizers[0].pattern", "\"x\"", json -> json.step(0).put("pattern", "x")),
                wrong(
                        "pretokenizers[0].pattern.Regex",
                        "nothing",
                        json -> json.step(0).putObject("pattern")),
                wrong("pretokenizers[2].pattern.Regex", "(Unclosed group", json -> json.regex("(a")),
                wrong("pretokenizers[2].pattern.Regex", "no counterpart", json -> json.regex("a\\Kb")),
                wrong("pretokenizers[2].pattern.Regex", "100000", json -> json.regex("a".repeat(100_000))));
    }

    @ParameterizedTest
    @MethodSource("wrongFiles")
    void refusesWrongFiles(String place, String found, Consumer<TokenizerJson> change) {
        TokenizerJson json = new TokenizerJson();
        change.accept(json);
        Path file = json.write(folder);
        assertTimeoutPreemptively(
                LIMIT,
                () -> assertThatThrownBy(() -> Tokenizer.load(file))
                        .isExactlyInstanceOf(CheckpointException.class)
                        .hasMessageStartingWith(file + ": ")
                        .hasMessageContaining(place + (place.isEmpty() ? "" : ": found "))
                        .hasMessageContaining(found)
                        .hasMessageContaining("expected ")
                        .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(1000)));
    }

    static Stream<Arguments> brokenFiles() {
        String whole = TokenizerJson.MAPPER.writeValueAsString(new TokenizerJson().root);
        return Stream.of(
                arguments("empty", new byte[0]),
                arguments("blank", new byte[] {' '}),
                arguments("truncated", whole.substring(0, whole.length() / 2).getBytes(StandardCharsets.UTF_8)),
                arguments("trailing", (whole + "x").getBytes(StandardCharsets.UTF_8)),
                arguments("two values", (whole + "{}").getBytes(StandardCharsets.UTF_8)),
                arguments("not UTF-8", new byte[] {'{', '"', (byte) 0xFF, '"', ':', '1', '}'}),
                arguments("not an object", "[]".getBytes(StandardCharsets.UTF_8)),
                arguments("null", "null".getBytes(StandardCharsets.UTF_8)),
                arguments(
                        "duplicate token",
                        "{\"model\":{\"vocab\":{\"a\":1,\"a\":2}}}".getBytes(StandardCharsets.UTF_8)),
                arguments("deep", "[".repeat(100_000).getBytes(StandardCharsets.UTF_8)),
                arguments("zeros", new byte[1 << 20]));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("brokenFiles")
    void refusesBrokenFiles(String name, byte[] content) {
        Path file = TokenizerJson.write(folder, content);
        assertThatThrownBy(() -> Tokenizer.load(file))
                .as(name)
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageStartingWith(file + ": found ");
    }

    @Test
    void refusesWhatIsNoFile() {
        assertThatThrownBy(() -> Tokenizer.load(folder)).isExactlyInstanceOf(CheckpointException.class);
        assertThatThrownBy(() -> Tokenizer.load(folder.resolve("absent")))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContaining("no regular file");
    }

    @Test
    void endsARegexThatBacktracksForEver() {
        TokenizerJson json = new TokenizerJson();
        json.regex("(x+x+)+(?<!x)y|(?:x|x|x|xx)+(?<=z)y");
        Tokenizer tokenizer = Tokenizer.load(json.write(folder));
        assertThat(tokenizer.encode("xxy")).isNotEmpty();
        assertTimeoutPreemptively(
                LIMIT,
                () -> assertThatThrownBy(() -> tokenizer.encode("x".repeat(5000)))
                        .isExactlyInstanceOf(CheckpointException.class)
                        .hasMessageContaining("pretokenizers[2].pattern.Regex: found a regex that backtracks"));
    }

    @Test
    void endsARegexThatExhaustsTheStack() {
        TokenizerJson json = new TokenizerJson();
        json.regex("(?:a|b)*c");
        Tokenizer tokenizer = Tokenizer.load(json.write(folder));
        assertThat(tokenizer.decode(tokenizer.encode("abababc"))).isEqualTo("abababc");
        assertTimeoutPreemptively(
                LIMIT,
                () -> assertThatThrownBy(() -> tokenizer.encode("ab".repeat(1 << 20)))
                        .isExactlyInstanceOf(CheckpointException.class)
                        .hasMessageContaining("too deep"));
    }

    @Test
    void refusesARegexNestedTooDeep() {
        TokenizerJson json = new TokenizerJson();
        json.regex("(".repeat(4000) + "a" + ")".repeat(4000));
        Path file = json.write(folder);
        try {
            assertThat(Tokenizer.load(file).encode("a")).hasSize(1);
        } catch (CheckpointException e) {
            assertThat(e).hasMessageContaining("pre_tokenizer");
        }
    }

    @Test
    void ignoresEmptyMatches() {
        TokenizerJson json = new TokenizerJson();
        json.regex("b*");
        Tokenizer tokenizer = Tokenizer.load(json.write(folder));
        assertThat(tokenizer.decode(tokenizer.encode("abba"))).isEqualTo("abba");
    }

    @Test
    void readsMergesInTheOlderForm() {
        TokenizerJson json = new TokenizerJson();
        Tokenizer pairs = Tokenizer.load(json.write(folder));
        ArrayNode old = json.model().putArray("merges");
        new TokenizerJson()
                .merges()
                .forEach(pair ->
                        old.add(pair.get(0).stringValue() + " " + pair.get(1).stringValue()));
        Tokenizer strings = Tokenizer.load(json.write(folder));
        assertThat(strings.encode("hello the aaaa")).isEqualTo(pairs.encode("hello the aaaa"));
    }

    @Test
    void takesTokensOutsideTheByteAlphabetForText() {
        TokenizerJson json = new TokenizerJson();
        json.vocab().put("你好", 390);
        Tokenizer tokenizer = Tokenizer.load(json.write(folder));
        assertThat(tokenizer.decode(390)).isEqualTo("你好");
        assertThat(tokenizer.encode("你好")).doesNotContain(390);
    }

    @Test
    void splitsByStringsAndByTheOwnRegexOfTheByteLevel() {
        TokenizerJson json = new TokenizerJson();
        json.step(0).putObject("pattern").put("String", "he");
        json.step(3).put("use_regex", true);
        Tokenizer tokenizer = Tokenizer.load(json.write(folder));
        assertThat(tokenizer.encode(" the")).hasSize(2);
        assertThat(tokenizer.decode(tokenizer.encode("don't the 12"))).isEqualTo("don't the 12");
    }

    @Test
    void needsNoAddedTokens() {
        TokenizerJson json = new TokenizerJson();
        json.root.remove("added_tokens");
        Tokenizer tokenizer = Tokenizer.load(json.write(folder));
        assertThat(tokenizer.encodeWithSpecials("<think>")).isEqualTo(tokenizer.encode("<think>"));
    }

    @Test
    void encodesTenMebibytesWithoutASpace() {
        Tokenizer tokenizer = Tokenizer.load(new TokenizerJson().write(folder));
        int[] ids = assertTimeoutPreemptively(LIMIT, () -> tokenizer.encode("a".repeat(10 << 20)));
        assertThat(ids).hasSize(10 << 18);
    }
}
