package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.conformance.model.GoldenModel;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowStreamReader;
import org.apache.arrow.vector.ipc.ReadChannel;
import org.apache.arrow.vector.ipc.message.MessageChannelReader;
import org.apache.arrow.vector.util.Text;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class CompareArrowTest {
    @TempDir
    private Path folder;

    private record Read(Map<String, String> metadata, List<Map<String, @Nullable Object>> rows) {}

    /** By Arrow's own reader: after its mark a file is a stream. */
    private static Read read(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file);
                BufferAllocator allocator = new RootAllocator()) {
            in.skipNBytes(8);
            ReadChannel copying = new ReadChannel(Channels.newChannel(in)) { // wrapping needs java.nio opened
                        @Override
                        public long readFully(ArrowBuf to, long length) throws IOException {
                            byte[] bytes = new byte[(int) length];
                            long count = readFully(ByteBuffer.wrap(bytes));
                            to.setBytes(0, bytes, 0, count);
                            to.writerIndex(count);
                            return count;
                        }
                    };
            try (ArrowStreamReader reader =
                    new ArrowStreamReader(new MessageChannelReader(copying, allocator), allocator)) {
                VectorSchemaRoot root = reader.getVectorSchemaRoot();
                List<Map<String, @Nullable Object>> rows = new ArrayList<>();
                while (reader.loadNextBatch()) {
                    for (int i = 0; i < root.getRowCount(); i++) {
                        Map<String, @Nullable Object> row = new LinkedHashMap<>();
                        for (FieldVector vector : root.getFieldVectors()) {
                            Object value = vector.getObject(i);
                            row.put(vector.getName(), value instanceof Text ? value.toString() : value);
                        }
                        rows.add(row);
                    }
                }
                return new Read(root.getSchema().getCustomMetadata(), rows);
            }
        }
    }

    @Test
    void theTableHasTheNumbersOfTheJson() throws IOException {
        Path file = folder.resolve("compare.arrow");
        Run run = Run.of(
                "compare",
                GoldenModel.micro().directory(),
                "--devices",
                "cpu:0,cpu:0/scalar",
                "--numerics",
                "bf16",
                "--prompt",
                6,
                "--decode",
                1,
                "--rounds",
                2,
                "--json",
                "--arrow",
                file);
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        JsonNode json = run.json();
        JsonNode mode = json.path("modes").path(0);
        Read read = read(file);
        assertThat(read.metadata())
                .containsEntry("command", json.path("command").asString())
                .containsEntry("seed", "1")
                .containsEntry("passed", "true");
        int at = 0;
        int nonZero = 0;
        for (JsonNode node : mode.path("nodes")) {
            for (JsonNode result : node.path("results")) {
                Map<String, @Nullable Object> row = read.rows().get(at++);
                assertThat(row)
                        .containsEntry("numerics", "bf16")
                        .containsEntry("step", node.path("step").asString())
                        .containsEntry("index", node.path("index").asLong())
                        .containsEntry("node", node.path("node").asString())
                        .containsEntry("flops", node.path("flops").asLong())
                        .containsEntry("device", result.path("device").asString())
                        .containsEntry("status", "right")
                        .containsEntry("kernel", result.path("kernel").asString())
                        .containsEntry("differing", result.path("differing").asLong())
                        .containsEntry("nmse", result.path("nmse").asDouble())
                        .containsEntry(
                                "largest.amount",
                                result.path("largest").path("amount").asDouble())
                        .containsEntry(
                                "largest.at", result.path("largest").path("at").asString())
                        .containsEntry("ofTolerance", result.path("ofTolerance").asDouble())
                        .containsEntry("seconds.median", seconds(result, "median"))
                        .containsEntry("seconds.p90", seconds(result, "p90"));
                nonZero += result.path("nmse").asDouble() > 0 ? 1 : 0;
            }
        }
        assertThat(at).isGreaterThan(200);
        assertThat(nonZero).isPositive();
        for (JsonNode step : mode.path("devices").path(0).path("steps")) {
            assertThat(read.rows().get(at++))
                    .containsEntry("device", "cpu:0")
                    .containsEntry("tier", "hardware")
                    .containsEntry("step", step.path("step").asString())
                    .containsEntry("node", null)
                    .containsEntry("seconds.median", seconds(step, "median"))
                    .containsEntry(
                            "ofLimit.share", step.path("ofLimit").path("share").asDouble());
        }
        assertThat(read.rows()).hasSize(at);
    }

    private static @Nullable Double seconds(JsonNode of, String what) {
        JsonNode seconds = of.path("seconds");
        return seconds.isNull() ? null : seconds.path(what).asDouble();
    }
}
