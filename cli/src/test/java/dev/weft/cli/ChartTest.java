package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tables and axes. */
class ChartTest {
    @ParameterizedTest
    @CsvSource({
        "112, 1195, 100, 2000",
        "31, 120, 20, 200",
        "100, 1000, 100, 1000",
        "5, 6, 5, 10",
        "0.03, 0.07, 0.02, 0.1",
        "7, 7, 5, 10",
    })
    void axesBeginAndEndAtRoundValues(double least, double most, double low, double high) {
        LogAxis axis = LogAxis.around(least, most, 300, 0);
        assertThat(axis.low()).isCloseTo(low, within(1e-9 * low));
        assertThat(axis.high()).isCloseTo(high, within(1e-9 * high));
        assertThat(axis.at(axis.low())).isEqualTo(300);
        assertThat(axis.at(axis.high())).isCloseTo(0, within(1e-9));
        assertThat(axis.at(Math.sqrt(low * high))).isCloseTo(150, within(1e-9));
    }

    @Test
    void ticksAreFewAndRound() {
        assertThat(LogAxis.around(112, 1195, 0, 1).ticks()).containsExactly(100.0, 200.0, 500.0, 1000.0, 2000.0);
        assertThat(LogAxis.around(9e6, 5e10, 0, 1).ticks()).containsExactly(1e7, 1e8, 1e9, 1e10);
    }

    @Test
    void textIsEscaped() {
        Svg svg = new Svg(10, 20, "a < b & \"c\"", "");
        svg.element("line", "x1", 1.25, "class", "\"><script>");
        assertThat(svg.finish())
                .contains("<title>a &lt; b &amp; &quot;c&quot;</title>", "viewBox=\"0 0 10 20\"")
                .contains("<line x1=\"1.3\" class=\"&quot;&gt;&lt;script&gt;\"/>");
    }

    @Test
    void columnsAreAligned() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream stream = new PrintStream(bytes, true, StandardCharsets.UTF_8);
        new TextTable(true, "name", "n", "same", "remark")
                .omitIfConstant("same", "n")
                .add("a", "1", "x", "short")
                .add("longer", "1000", "x", "")
                .print(new Terminal(stream, stream, false));
        assertThat(bytes.toString(StandardCharsets.UTF_8)).isEqualTo("""
                name       n  remark
                a          1  short
                longer  1000
                """);
        TextTable table = new TextTable(false, "a", "b");
        assertThatThrownBy(() -> table.add("1")).isInstanceOf(IllegalArgumentException.class);
    }
}
