package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Pieces of layers as measured; how fast anything was is no test. */
class BenchPieceTest {
    @Test
    void piecesAreRepeatedWithDataOfTheirOwn() {
        Object[] line =
                "bench piece experts,attention,index,topk,hyper,sample --model tiny --m 1,3 --context 255 --rounds 2 --json"
                        .split(" ");
        Run run = Run.of(line);
        assertThat(run.err()).isEmpty();
        JsonNode results = run.json().path("results");
        assertThat(results).hasSize(12).allSatisfy(BenchNumbers::requireConsistent);
        for (int i = 0; i < 12; i += 2) {
            JsonNode one = results.path(i);
            JsonNode three = results.path(i + 1);
            assertThat(one.path("copies").asInt())
                    .isGreaterThan(1)
                    .isEqualTo(three.path("copies").asInt());
            assertThat(three.path("flops").asLong())
                    .as(one.path("work").asString())
                    .isEqualTo(3 * one.path("flops").asLong());
        }
        assertThat(results.path(4).path("bytes").asLong()) // keys of 64 entries, 128 wide
                .isEqualTo(results.path(4).path("copies").asLong() * 64 * 128 * 2);
        Run few = Run.of("bench", "piece", "index", "--model", "tiny", "--context", 66);
        assertThat(few.code()).isEqualTo(1);
        assertThat(few.err()).contains("index: found context 66, expected 67 or more");
    }

    /** 40 rows behind 255 tokens: each sees its window and the 16 entries that are picked, and reads what the others read. */
    @Test
    void aPromptsRowsShareTheirKeys() {
        Object[] line = "bench piece prefill,attention,attention --model tiny --m 40 --context 255 --rounds 2 --json"
                .split(" ");
        JsonNode results = Run.of(line).json().path("results");
        assertThat(results)
                .hasSize(2)
                .allSatisfy(BenchNumbers::requireConsistent); // what is named twice is measured once
        JsonNode prompt = results.path(0);
        JsonNode decode = results.path(1);
        assertThat(prompt.path("work").asString()).isEqualTo("prefill");
        assertThat(perCopy(prompt, "flops")).isEqualTo(perCopy(decode, "flops"));
        assertThat(perCopy(prompt, "bytes")).isLessThan(perCopy(decode, "bytes"));
    }

    /** Linear layers of tiny by their extents: weights once, FP8 with a scale for each 128 x 128, the rows' arithmetic. */
    @ParameterizedTest
    @CsvSource({
        "wq_a+wkv, 256, 256, 1",
        "wq_b, 256, 256, 1",
        "wo_a, 256, 256, 1",
        "wo_b, 256, 256, 1",
        "shared.w1+w3, 256, 256, 1",
        "shared.w2, 256, 128, 1",
        "gate, 8, 256, 2",
        "compressor.4, 512, 256, 2",
        "compressor.128, 256, 256, 2",
        "index.wq_b, 512, 256, 1",
        "index.compressor, 512, 256, 2",
    })
    void linearLayersHaveTheModelsExtents(String name, long out, long in, int bytes) {
        JsonNode one = Run.of("bench", "piece", name, "--model", "tiny", "--m", 3, "--rounds", 1, "--json")
                .json()
                .path("results")
                .path(0);
        BenchNumbers.requireConsistent(one);
        assertThat(perCopy(one, "flops")).isEqualTo(2.0 * 3 * out * in);
        long scales = bytes == 1 ? Math.ceilDiv(out, 128) * Math.ceilDiv(in, 128) : 0;
        assertThat(perCopy(one, "bytes")).isEqualTo(bytes * out * in + scales);
    }

    /** Entries of ratio 128 are all read, with the window: behind 511 tokens 4 of them. */
    @Test
    void heavyCompressionReadsAllEntries() {
        Object[] line = "bench piece hca,attention --model tiny --m 2 --context 511 --rounds 1 --json".split(" ");
        JsonNode results = Run.of(line).json().path("results");
        double window = 64;
        double perKey = perCopy(results.path(1), "flops") / (window + 16); // 16 are picked
        assertThat(perCopy(results.path(0), "flops")).isEqualTo((window + 4) * perKey);
    }

    /** Experts of FP8 have twice the bytes and a quarter of the scales. */
    @Test
    void expertsOfFp8ReadMore() {
        Object[] line = "bench piece experts,fp8-experts --model tiny --m 64 --rounds 1 --json".split(" ");
        JsonNode results = Run.of(line).json().path("results");
        assertThat(perCopy(results.path(1), "flops")).isEqualTo(perCopy(results.path(0), "flops"));
        assertThat(perCopy(results.path(1), "bytes")).isGreaterThan(1.8 * perCopy(results.path(0), "bytes"));
    }

    private static double perCopy(JsonNode result, String field) {
        return result.path(field).asDouble() / result.path("copies").asInt();
    }
}
