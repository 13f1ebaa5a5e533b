package dev.weft.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.weft.RequestException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
    private static Tokenizer tokenizer;

    @BeforeAll
    static void load(@TempDir Path folder) {
        tokenizer = Tokenizer.load(new TokenizerJson().write(folder));
    }

    private static List<String> tokens(String text) {
        return tokens(tokenizer.encode(text));
    }

    private static List<String> tokens(int... ids) {
        return Arrays.stream(ids).mapToObj(tokenizer::tokenText).toList();
    }

    @Test
    void mergesTheLowestRankFirst() {
        assertThat(tokens("hello the")).containsExactly("he", "ll", "o", "Ġthe");
        assertThat(tokens("123")).containsExactly("12", "3");
        assertThat(tokens("23")).containsExactly("23");
    }

    @Test
    void mergesTheLeftmostOfEqualRanks() {
        assertThat(tokens("aaaaaaa")).containsExactly("aaaa", "aa", "a");
    }

    @Test
    void keepsPiecesApart() {
        assertThat(tokens("1234")).containsExactly("12", "3", "4");
        assertThat(tokens("a\u3042a")).containsExactly("a", "ã", "ģ", "Ĥ", "a");
        assertThat(tokens("   the")).containsExactly("ĠĠ", "Ġthe");
    }

    @Test
    void encodesNothingAsNothing() {
        assertThat(tokenizer.encode("")).isEmpty();
        assertThat(tokenizer.encodeWithSpecials("")).isEmpty();
        assertThat(tokenizer.decode()).isEmpty();
    }

    @Test
    void cutsOutAddedTokensOnlyWhenAsked() {
        String text = TokenizerJson.BOS + TokenizerJson.USER + "he<think>";
        assertThat(tokenizer.encodeWithSpecials(text)).startsWith(0, 400).endsWith(401);
        assertThat(tokenizer.encode(text)).doesNotContain(0, 400, 401, 402);
        assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
    }

    @Test
    void prefersTheLongestAddedToken() {
        assertThat(tokenizer.encodeWithSpecials("<think>er<think>e<think"))
                .startsWith(402, 401, tokenizer.idOf("e").orElseThrow());
    }

    @Test
    void neverYieldsAddedTokensFromOrdinaryText() {
        String[] parts = {TokenizerJson.BOS, TokenizerJson.USER, "<think>", "<think>er", "<", "think", ">", "｜", "▁"};
        Random random = new Random(1);
        for (int round = 0; round < 500; round++) {
            StringBuilder text = new StringBuilder();
            random.ints(8, 0, parts.length).forEach(part -> text.append(parts[part]));
            assertThat(tokenizer.encode(text.toString())).doesNotContain(0, 400, 401, 402);
        }
    }

    @Test
    void skipsSpecialTokensOnRequest() {
        int[] ids = tokenizer.encodeWithSpecials(TokenizerJson.USER + "a" + TokenizerJson.THINK);
        assertThat(tokenizer.decode(ids)).isEqualTo("<｜User｜>a<think>");
        assertThat(tokenizer.decode(ids, true)).isEqualTo("a<think>");
    }

    @Test
    void namesTokens() {
        assertThat(tokenizer.vocabularySize()).isEqualTo(403);
        assertThat(tokenizer.idOf(TokenizerJson.USER)).hasValue(400);
        assertThat(tokenizer.idOf("nothing of the kind")).isEmpty();
        int the = tokenizer.idOf("Ġthe").orElseThrow();
        assertThat(tokenizer.tokenText(the)).isEqualTo("Ġthe");
        assertThat(tokenizer.bytesOf(the)).asString().isEqualTo(" the");
        assertThat(tokenizer.bytesOf(400)).isEqualTo(TokenizerJson.USER.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void protectsItsBytes() {
        int a = tokenizer.idOf("a").orElseThrow();
        tokenizer.bytesOf(a)[0] = 'b';
        assertThat(tokenizer.decode(a)).isEqualTo("a");
    }

    @Test
    void decodesIdsWithoutTokenToNothing() {
        int a = tokenizer.idOf("a").orElseThrow();
        assertThat(tokenizer.decode(a, 300, 403, Integer.MAX_VALUE, a)).isEqualTo("aa");
        assertThat(tokenizer.bytesOf(300)).isEmpty();
        assertThatThrownBy(() -> tokenizer.tokenText(300))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("found id 300");
        assertThatThrownBy(() -> tokenizer.decode(a, -1))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("found id -1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\uD83D", "\uDE00", "a\uD83Db", "\uDE00\uD83D", "\uD83D\uD83D\uDE00"})
    void replacesUnpairedSurrogates(String text) {
        String expected = new String(text.getBytes(StandardCharsets.UTF_16LE), StandardCharsets.UTF_16LE);
        assertThat(tokenizer.decode(tokenizer.encode(text))).contains("\uFFFD").isEqualTo(expected);
        assertThat(tokenizer.encodeWithSpecials(text)).isEqualTo(tokenizer.encode(text));
    }

    @Test
    void streamsWholeCharacters() {
        StreamingDecoder decoder = tokenizer.decoder();
        int[] ids = tokenizer.encode("\uD83D\uDE00!");
        assertThat(tokens(ids)).containsExactly("ðŁĺ", "Ģ", "!");
        assertThat(decoder.append(ids[0])).isEmpty();
        assertThat(decoder.append(ids[1])).isEqualTo("\uD83D\uDE00");
        assertThat(decoder.append(ids[0])).isEmpty();
        assertThat(decoder.append(ids[2])).isEqualTo("\uFFFD!");
        assertThat(decoder.append(ids[0])).isEmpty();
        assertThat(decoder.finish()).isEqualTo("\uFFFD");
        assertThat(decoder.finish()).isEmpty();
        assertThat(decoder.append(ids[2])).isEqualTo("!");
    }

    @Test
    void streamsWhatItDecodes() {
        Random random = new Random(7);
        for (int round = 0; round < 300; round++) {
            int[] ids = random.ints(40, 0, tokenizer.vocabularySize()).toArray();
            for (boolean skip : new boolean[] {false, true}) {
                StreamingDecoder decoder = tokenizer.decoder(skip);
                StringBuilder streamed = new StringBuilder();
                for (int id : ids) {
                    String part = decoder.append(id);
                    assertThat(Surrogates.arePaired(part)).isTrue();
                    streamed.append(part);
                }
                streamed.append(decoder.finish());
                assertThat(streamed.toString()).isEqualTo(tokenizer.decode(ids, skip));
            }
        }
    }

    @Test
    void decodesWhatItEncoded() {
        Random random = new Random(3);
        for (int round = 0; round < 300; round++) {
            StringBuilder text = new StringBuilder();
            random.ints(60, 0, round % 2 == 0 ? 0x250 : 0x30000)
                    .filter(codePoint -> codePoint < 0xD800 || codePoint > 0xDFFF)
                    .forEach(text::appendCodePoint);
            assertThat(tokenizer.decode(tokenizer.encode(text.toString()))).isEqualTo(text.toString());
        }
    }

    @Test
    void servesManyThreads() {
        List<String> texts = IntStream.range(0, 200)
                .mapToObj(i -> "the hello " + i + " aaaa".repeat(i % 7) + i * 31)
                .toList();
        List<List<Integer>> alone = texts.stream()
                .map(text -> IntStream.of(tokenizer.encode(text)).boxed().toList())
                .toList();
        List<List<Integer>> together = texts.parallelStream()
                .map(text -> IntStream.of(tokenizer.encode(text)).boxed().toList())
                .toList();
        assertThat(together).isEqualTo(alone);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a",
                " ",
                "\n",
                " \n",
                "\r\n",
                "!",
                "1",
                "\u3042",
                "\uD83D\uDE00",
                "\u0301",
                "\u200B",
                "a ",
                "'a",
                "  a",
                "<think",
                "\uD83D"
            })
    void staysNearLinearOnRuns(String unit) {
        String text = unit.repeat((1 << 20) / unit.length()) + "a";
        int[] ids = assertTimeoutPreemptively(Duration.ofSeconds(30), () -> tokenizer.encodeWithSpecials(text));
        assertThat(tokenizer.decode(ids))
                .isEqualTo(text.replace('\uD83D', Surrogates.arePaired(unit) ? '\uD83D' : '\uFFFD'));
    }
}
