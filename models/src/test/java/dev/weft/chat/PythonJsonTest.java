package dev.weft.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.RequestException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The expected spellings are what Python 3 writes. */
class PythonJsonTest {
    @ParameterizedTest
    @CsvSource({
        "1.0, 1.0",
        "-4.0, -4.0",
        "1E15, 1000000000000000.0",
        "1E16, 1e+16",
        "123456789012345680.0, 1.2345678901234568e+17",
        "1E-4, 0.0001",
        "1E-5, 1e-05",
        "12345E-8, 0.00012345",
        "5e-324, 5e-324",
        "17976931348623157E292, 1.7976931348623157e+308",
        "2E23, 2e+23",
        "1e23, 1e+23",
        "9007199254740993.0, 9007199254740992.0",
        "4.350, 4.35",
        "3.0E-310, 3e-310",
        "9.5, 9.5",
        "-0.0, -0.0",
        "-0, 0",
        "1e999, Infinity",
        "NaN, NaN",
        "-Infinity, -Infinity",
        "123456789012345678901234567890, 123456789012345678901234567890"
    })
    void numbers(String json, String expected) {
        assertThat(PythonJson.write(PythonJson.parse(json, "x"))).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[]|[]",
                "{}|{}",
                "[ 1,[ ],{ }]|[1, [], {}]",
                "{\"b\":1,\"a\":{\"c\":[true,null]}}|{\"b\": 1, \"a\": {\"c\": [true, null]}}",
                "{\"a\":1,\"b\":2,\"a\":3}|{\"a\": 3, \"b\": 2}",
                "\"\\u00e9\\u4f60\\ud83d\\ude42\"|\"é你🙂\"",
                "\"\\/\\u0001\\u001f\\u007f\\u2028\"|\"/\\u0001\\u001f\u007f\u2028\"",
                "\"\\n\\t\\r\\b\\f\\\\\\\"\"|\"\\n\\t\\r\\b\\f\\\\\\\"\"",
            })
    void values(String json, String expected) {
        assertThat(PythonJson.write(PythonJson.parse(json, "x"))).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "{", "{'a':1}", "[1,]", "01", "1 2", "\"\n\"", "nul", "// x", "\"\\x\""})
    void refusesWhatIsNoJson(String text) {
        assertThatThrownBy(() -> PythonJson.parse(text, "subject"))
                .isInstanceOf(RequestException.class)
                .hasMessageStartingWith("subject: found ");
        assertThat(PythonJson.tryParse(text, "x")).isEmpty();
    }

    @Test
    void deepNestingIsRefused() {
        String deep = "[".repeat(200_000);
        assertThatThrownBy(() -> PythonJson.parse(deep, "x")).isInstanceOf(RequestException.class);
        assertThatThrownBy(() -> PythonJson.tryParse(deep, "x")).isInstanceOf(RequestException.class);
    }
}
