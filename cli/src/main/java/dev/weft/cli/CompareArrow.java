package dev.weft.cli;

import dev.weft.arrow.ArrowTable;
import dev.weft.arrow.ArrowTable.Column;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/**
 * A comparison as a table: a row per node and device, then a row per step and device, whose node is null. It is made of the
 * JSON, so its numbers are the same; names of nested fields are joined by a dot. What is said about the whole comparison
 * stands in the metadata.
 */
final class CompareArrow {
    private static final List<Column> COLUMNS = List.of(
            Column.text("numerics"),
            Column.text("device"),
            Column.text("hardware"),
            Column.text("tier"),
            Column.text("level"),
            Column.integer("threads"),
            Column.text("step"),
            Column.integer("index"),
            Column.text("node"),
            Column.text("op"),
            Column.integer("flops"),
            Column.integer("bytes"),
            Column.text("status"),
            Column.text("reason"),
            Column.text("kernel"),
            Column.text("note"),
            Column.text("result"),
            Column.text("dtype"),
            Column.integer("elements"),
            Column.integer("differing"),
            Column.real("nmse"),
            Column.real("largest.amount"),
            Column.text("largest.at"),
            Column.real("largest.found"),
            Column.real("largest.expected"),
            Column.real("ulp.amount"),
            Column.text("ulp.at"),
            Column.real("ulp.found"),
            Column.real("ulp.expected"),
            Column.real("ofTolerance"),
            Column.real("seconds.median"),
            Column.real("seconds.p10"),
            Column.real("seconds.p90"),
            Column.text("ofLimit.kind"),
            Column.real("ofLimit.share"),
            Column.text("ofLimit.measuredBy"));

    private final List<Map<String, @Nullable Object>> rows = new ArrayList<>();

    private CompareArrow() {}

    /** @param comparison as {@link CompareJson} gives it */
    static ArrowTable of(JsonNode comparison) {
        CompareArrow table = new CompareArrow();
        comparison.path("modes").forEach(table::mode);
        Map<String, String> metadata = new LinkedHashMap<>();
        comparison
                .propertyStream()
                .filter(e -> e.getValue().isValueNode() && !e.getValue().isNull())
                .forEach(e -> metadata.put(e.getKey(), e.getValue().asString()));
        return new ArrowTable(COLUMNS, table.rows, metadata);
    }

    private void mode(JsonNode mode) {
        Map<String, JsonNode> devices = new LinkedHashMap<>();
        devices.put(mode.path("reference").path("device").asString(), mode.path("reference"));
        mode.path("devices").forEach(d -> devices.put(d.path("device").asString(), d));
        for (JsonNode node : mode.path("nodes")) {
            for (JsonNode result : node.path("results")) {
                JsonNode device = devices.getOrDefault(result.path("device").asString(), MissingNode.getInstance());
                row(result, node, device, mode);
            }
        }
        for (JsonNode device : devices.values()) {
            device.path("steps").forEach(step -> row(step, device, mode));
        }
    }

    /** @param from objects that have the fields, the nearest first */
    private void row(JsonNode... from) {
        Map<String, @Nullable Object> row = new LinkedHashMap<>();
        for (Column column : COLUMNS) {
            row.put(column.name(), value(column, from));
        }
        rows.add(row);
    }

    private static @Nullable Object value(Column column, JsonNode... from) {
        String[] path = column.name().split("\\.");
        JsonNode value = MissingNode.getInstance();
        for (int i = 0; i < from.length && value.isMissingNode(); i++) {
            value = from[i].path(path[0]);
        }
        for (int i = 1; i < path.length; i++) {
            value = value.path(path[i]);
        }
        if (value.isMissingNode() || value.isNull()) {
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
