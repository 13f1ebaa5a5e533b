package dev.weft.benchmarks.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class AgainstLlamaTest {
    private static final List<String> COMMAND = List.of("llama-bench", "-p", "512");

    @Test
    void theMedianOfTheSamplesInSeconds() throws IOException {
        String output = """
                [ { "n_prompt": 512, "avg_ns": 7, "samples_ns": [ 4000000000, 1000000000, 2000000000 ] } ]
                """;
        assertThat(AgainstLlama.median(output, COMMAND)).isCloseTo(2, within(1e-9));
    }

    @Test
    void whatIsNoResultIsShown() {
        for (String output : List.of("", "[]", "[ {} ]", "error: unknown model architecture")) {
            assertThatThrownBy(() -> AgainstLlama.median(output, COMMAND))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("llama-bench -p 512")
                    .hasMessageContaining("found \"" + output + "\"")
                    .hasMessageContaining("samples_ns");
        }
    }
}
