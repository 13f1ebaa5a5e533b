package dev.weft.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.RequestException;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StopStringsTest {
    private static Tokenizer tokenizer;

    @BeforeAll
    static void load(@TempDir Path folder) {
        tokenizer = Tokenizer.load(new TokenizerJson().write(folder));
    }

    private StopStrings stops(String... stops) {
        return new StopStrings(tokenizer.decoder(), List.of(stops));
    }

    /** All text handed out, piece by piece. */
    private String run(StopStrings stops, String text) {
        StringBuilder out = new StringBuilder();
        for (int id : tokenizer.encode(text)) {
            if (stops.test(id)) {
                break;
            }
            out.append(stops.take());
        }
        return out.append(stops.finish()).toString();
    }

    @Test
    void theTextEndsBeforeTheFirstStopString() {
        assertThat(run(stops("END", "ES"), "a sentENce ENDs here")).isEqualTo("a sentENce ");
        assertThat(run(stops("\n\n"), "one\ntwo\n\nthree")).isEqualTo("one\ntwo");
        assertThat(run(stops("é"), "caf\u00e9!")).isEqualTo("caf");
        assertThat(run(stops("aab"), "aaab")).isEqualTo("a");
    }

    @Test
    void whatOnlyBeginsLikeAStopStringIsHandedOut() {
        StopStrings stops = stops("END");
        assertThat(run(stops, "an EN")).isEqualTo("an EN");
        assertThat(stops.hasStopped()).isFalse();
    }

    @Test
    void itAgreesWithASearchInTheWholeText() {
        SplittableRandom random = new SplittableRandom(1);
        for (int round = 0; round < 500; round++) {
            String text = word(random, 30);
            String a = word(random, 4);
            String b = word(random, 3);
            int end = firstEnd(text, a, b);
            StopStrings stops = stops(a, b);
            assertThat(run(stops, text)).as(text + " / " + a + " / " + b).isEqualTo(text.substring(0, end));
        }
    }

    /** Where the string begins that is complete first; of those that are complete at once, the longer one. */
    private static int firstEnd(String text, String a, String b) {
        for (int end = 1; end <= text.length(); end++) {
            String head = text.substring(0, end);
            if (head.endsWith(a) || head.endsWith(b)) {
                int longest = Math.max(head.endsWith(a) ? a.length() : 0, head.endsWith(b) ? b.length() : 0);
                return end - longest;
            }
        }
        return text.length();
    }

    private static String word(SplittableRandom random, int longest) {
        StringBuilder s = new StringBuilder();
        for (int i = 1 + random.nextInt(longest); i > 0; i--) {
            s.append((char) ('a' + random.nextInt(2)));
        }
        return s.toString();
    }

    @Test
    void anEmptyStopStringIsRefused() {
        assertThatThrownBy(() -> stops("")).isInstanceOf(RequestException.class).hasMessageContaining("empty");
    }
}
