package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.conformance.model.GoldenModel;
import dev.weft.conformance.model.GoldenTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The written file against what independent implementations computed from the same checkpoint. */
class LogitsTest {
    private static final GoldenModel MICRO = GoldenModel.micro();

    @TempDir
    private Path folder;

    @Test
    void prefillAndDecodeMatch() throws IOException {
        try (GoldenTensors golden = MICRO.tensors("fp32")) {
            String name = golden.names("decode.", ".logits").getFirst();
            int split = Integer.parseInt(name.split("\\.")[1]);
            float[][] expected = golden.rows(name);
            int[] ids = Arrays.copyOf(golden.ints("input_ids"), split + expected.length - 1);
            try (GoldenTensors written = run(ids, split)) {
                assertThat(written.names("", "")).containsExactlyInAnyOrder("prefill_logits", "decode_logits");
                assertRows(written.rows("decode_logits"), expected);
                float[][] prefill = written.rows("prefill_logits");
                assertRows(prefill, Arrays.copyOf(golden.rows("prefill_logits"), split));
                assertThat(written.rows("decode_logits")[0]).isEqualTo(prefill[split - 1]);
            }
        }
    }

    @Test
    void traceHasTheNamesAndShapesOfTheGoldenFile() throws IOException {
        try (GoldenTensors golden = MICRO.tensors("fp32")) {
            int[] ids = golden.ints("input_ids");
            try (GoldenTensors written = run(ids, ids.length, "--trace")) {
                assertThat(written.names("at_pos.", ""))
                        .containsExactlyInAnyOrderElementsOf(golden.names("at_pos.", ""));
                assertThat(written.names("layers.", ""))
                        .containsExactlyInAnyOrderElementsOf(golden.names("layers.", "").stream()
                                .filter(n -> !n.endsWith(".margin"))
                                .toList());
                assertThat(written.ints("input_ids")).isEqualTo(ids);
                assertThat(written.ints("positions")).hasSize(ids.length).endsWith(ids.length - 1);
                for (String name : written.names("layers.", "compressed_kv")) {
                    assertRows(written.rows(name), golden.rows(name));
                }
                for (String name : written.names("layers.", "indices")) {
                    assertThat(written.ints(name)).as(name).isEqualTo(golden.ints(name));
                }
                for (String name : written.names("at_pos.", "")) {
                    assertThat(written.floats(name).length / ids.length)
                            .as(name)
                            .isEqualTo(golden.floats(name).length / golden.ints("positions").length);
                }
            }
        }
    }

    @Test
    void aSplitAtTheEndLeavesOneRowOfDecode() throws IOException {
        try (GoldenTensors written = run(new int[] {0, 5, 9}, 3)) {
            assertThat(written.rows("prefill_logits")).hasDimensions(3, written.rows("decode_logits")[0].length);
            assertThat(written.rows("decode_logits")).hasNumberOfRows(1);
        }
    }

    private GoldenTensors run(int[] ids, int split, String... more) throws IOException {
        Path tokens = Files.writeString(folder.resolve("ids.json"), Arrays.toString(ids));
        Path out = folder.resolve("out.safetensors");
        Object[] arguments = {
            "logits", MICRO.directory(), "--tokens", tokens, "--split", split, "--numerics", "fp32", "--out", out
        };
        Object[] all = Arrays.copyOf(arguments, arguments.length + more.length);
        System.arraycopy(more, 0, all, arguments.length, more.length);
        Run run = Run.of(all);
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).isEmpty();
        assertThat(run.code()).isZero();
        return GoldenTensors.open(out);
    }

    private static void assertRows(float[][] actual, float[][] expected) {
        assertThat(actual).hasDimensions(expected.length, expected[0].length);
        for (int i = 0; i < expected.length; i++) {
            for (int j = 0; j < expected[i].length; j++) {
                assertThat(actual[i][j]).as("row %d, column %d", i, j).isCloseTo(expected[i][j], within(5e-4f));
            }
        }
    }
}
