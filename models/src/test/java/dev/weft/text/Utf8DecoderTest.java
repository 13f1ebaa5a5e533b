package dev.weft.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Utf8DecoderTest {
    private static String decode(byte[] bytes) {
        Utf8Decoder decoder = new Utf8Decoder();
        StringBuilder text = new StringBuilder();
        decoder.append(bytes, text);
        decoder.finish(text);
        return text.toString();
    }

    @Test
    void decodesEveryCharacter() {
        for (int codePoint = 0; codePoint <= Character.MAX_CODE_POINT; codePoint++) {
            if (codePoint < Character.MIN_SURROGATE || codePoint > Character.MAX_SURROGATE) {
                String character = Character.toString(codePoint);
                assertThat(decode(character.getBytes(StandardCharsets.UTF_8))).isEqualTo(character);
            }
        }
    }

    /** X stands for U+FFFD. The last two are table 3-8 and 3-11 of the Unicode standard. */
    @ParameterizedTest
    @CsvSource({
        "80, X",
        "61C0AF62, aXXb",
        "C261, Xa",
        "E282, X",
        "E28261, Xa",
        "F09F98, X",
        "F09F9861, Xa",
        "EDA080, XXX",
        "E08080, XXX",
        "F08080AF, XXXX",
        "F4908080, XXXX",
        "F5808080, XXXX",
        "FEFF, XX",
        "C3C3A9, Xé",
        "C0AFE080BFF0818241, XXXXXXXXA",
        "E180E2F09192F1BF41, XXXXA",
    })
    void replacesWhatIsNoCharacter(String hex, String expected) {
        assertThat(decode(HexFormat.of().parseHex(hex))).isEqualTo(expected.replace('X', '\uFFFD'));
    }
}
