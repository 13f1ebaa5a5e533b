package dev.weft.cli;

import dev.weft.arrow.ArrowTable;
import dev.weft.arrow.ArrowTable.Column;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The rows of a benchmark's document as a table. What the document says holds for every row that does not say otherwise;
 * names of nested fields are joined by a dot. The columns are described in {@code docs/benchmarks.md}.
 */
final class BenchRows {
    private static final List<Column> COLUMNS = List.of(
            Column.text("benchmark"),
            Column.text("command"),
            Column.text("date"),
            Column.text("weft"),
            Column.text("java"),
            Column.text("system"),
            Column.text("device"),
            Column.text("hardware"),
            Column.text("tier"),
            Column.text("level"),
            Column.integer("threads"),
            Column.text("clock"),
            Column.integer("rounds"),
            Column.integer("warmUp"),
            Column.integer("seed"),
            Column.integer("ranks"),
            Column.text("transport"),
            Column.text("model"),
            Column.text("numerics"),
            Column.text("work"),
            Column.text("op"),
            Column.text("kind"),
            Column.text("kernel"),
            Column.text("part"),
            Column.real("ofRanks.least"),
            Column.real("ofRanks.most"),
            Column.integer("memory.experts"),
            Column.integer("memory.others"),
            Column.integer("memory.expertsAlone"),
            Column.integer("memory.othersAlone"),
            Column.text("weights"),
            Column.text("activations"),
            Column.integer("m"),
            Column.integer("k"),
            Column.integer("n"),
            Column.integer("copies"),
            Column.integer("context"),
            Column.integer("prompt"),
            Column.integer("generate"),
            Column.integer("depth"),
            Column.integer("batch"),
            Column.integer("tokens"),
            Column.real("tokensPerSecond"),
            Column.real("rate.mean"),
            Column.real("rate.deviation"),
            Column.real("rate.least"),
            Column.integer("bytes"),
            Column.integer("flops"),
            Column.real("seconds.mean"),
            Column.real("seconds.deviation"),
            Column.real("seconds.least"),
            Column.real("seconds.p10"),
            Column.real("seconds.median"),
            Column.text("peer.name"),
            Column.real("peer.p10"),
            Column.real("peer.median"),
            Column.real("ofPeer"),
            Column.real("ofPeerP10"),
            Column.real("javaSeconds"),
            Column.real("groupJavaSeconds"),
            Column.real("gbps"),
            Column.real("gflops"),
            Column.text("limit.kind"),
            Column.real("limit.value"),
            Column.text("limit.unit"),
            Column.text("limit.measuredBy"),
            Column.real("ofLimit"),
            Column.real("ofLimitP10"),
            Column.real("ceilings.read"),
            Column.real("ceilings.f32Fma"),
            Column.real("ceilings.bf16Dot"),
            Column.real("ceilings.fp8Dot"),
            Column.real("floorSeconds"),
            Column.real("timesFloor"),
            Column.real("hostSeconds"),
            Column.integer("launches"));

    private BenchRows() {}

    static ArrowTable of(JsonNode document) {
        List<Map<String, @Nullable Object>> rows = new ArrayList<>();
        for (JsonNode result : document.path("results")) {
            Map<String, @Nullable Object> row = new LinkedHashMap<>();
            COLUMNS.forEach(c -> row.put(c.name(), value(c, document, result)));
            rows.add(row);
        }
        return ArrowTable.of(COLUMNS, rows);
    }

    private static @Nullable Object value(Column column, JsonNode document, JsonNode result) {
        String[] path = column.name().split("\\.");
        JsonNode value = result.has(path[0]) ? result : document;
        for (String field : path) {
            value = value.path(field);
        }
        if (!value.isValueNode() || value.isNull()) {
            return null;
        }
        return switch (column.kind()) {
            case TEXT -> value.asString();
            case INTEGER -> value.longValue();
            case REAL -> value.doubleValue();
            case FLAG -> value.booleanValue();
        };
    }
}
