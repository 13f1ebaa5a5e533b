package dev.weft.cli;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdk.jfr.ValueDescriptor;
import jdk.jfr.consumer.RecordedEvent;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Weft's events of a flight recording in the trace event format that Perfetto and {@code chrome://tracing} read: a track
 * for every thread, and one for every stream of a device. A graph has a stream of its own.
 */
final class ChromeTrace {
    private static final String PREFIX = "dev.weft.";
    private static final String KERNEL = PREFIX + "Kernel";
    private static final double NANOS_PER_MICRO = 1e3;

    /** What every event has, shown by its place. */
    private static final List<String> PLACED = List.of("startTime", "duration", "eventThread", "stackTrace");

    private final List<RecordedEvent> events;
    private final Map<String, Integer> tracks = new LinkedHashMap<>();

    private ChromeTrace(List<RecordedEvent> events) {
        this.events = events;
    }

    /** Those of the events that are Weft's, in the order they began. */
    static ChromeTrace of(List<RecordedEvent> recorded) {
        List<RecordedEvent> events = new ArrayList<>(recorded);
        events.removeIf(e -> !isWeft(e));
        events.sort((a, b) -> a.getStartTime().compareTo(b.getStartTime()));
        return new ChromeTrace(events);
    }

    /** Whether an event is Weft's. */
    static boolean isWeft(RecordedEvent event) {
        return event.getEventType().getName().startsWith(PREFIX);
    }

    /** The events of single nodes. */
    List<RecordedEvent> kernels() {
        return events.stream().filter(ChromeTrace::isKernel).toList();
    }

    boolean isEmpty() {
        return events.isEmpty();
    }

    /** How long it took, of a node by its device's clock if that has one. */
    static long nanos(RecordedEvent event) {
        long device = isKernel(event) && event.hasField("deviceTime") ? event.getLong("deviceTime") : 0;
        return device == 0 ? event.getDuration().toNanos() : device;
    }

    private static boolean isKernel(RecordedEvent event) {
        return event.getEventType().getName().equals(KERNEL);
    }

    /** @param about what the trace is of */
    ObjectNode json(ObjectNode about) {
        ObjectNode root = Json.object();
        root.set("otherData", about);
        root.put("displayTimeUnit", "ms");
        ArrayNode out = root.putArray("traceEvents");
        events.forEach(e -> add(out, e));
        tracks.forEach((name, id) -> {
            ObjectNode track = out.addObject().put("ph", "M").put("name", "thread_name");
            track.put("pid", 1).put("tid", id).putObject("args").put("name", name);
        });
        ObjectNode process = out.addObject().put("ph", "M").put("name", "process_name");
        process.put("pid", 1).putObject("args").put("name", "weft");
        return root;
    }

    private void add(ArrayNode out, RecordedEvent event) {
        String type = event.getEventType().getName().substring(PREFIX.length());
        ObjectNode span = out.addObject().put("ph", "X").put("cat", type).put("name", name(event, type));
        span.put("ts", micros(event)).put("dur", nanos(event) / NANOS_PER_MICRO);
        span.put("pid", 1).put("tid", tracks.computeIfAbsent(track(event), name -> tracks.size() + 1));
        ObjectNode fields = span.putObject("args");
        for (ValueDescriptor field : event.getFields()) {
            if (!PLACED.contains(field.getName())) {
                fields.putPOJO(field.getName(), event.getValue(field.getName()));
            }
        }
    }

    /** Since the first event: a number of microseconds since 1970 has no room for fractions. */
    private double micros(RecordedEvent event) {
        return Duration.between(events.getFirst().getStartTime(), event.getStartTime())
                        .toNanos()
                / NANOS_PER_MICRO;
    }

    private static String name(RecordedEvent event, String type) {
        return switch (type) {
            case "Kernel" -> event.getString("node");
            case "Compile", "Run" -> type + " " + event.getString("graph");
            case "Step" -> event.getString("kind") + " " + event.getInt("tokens");
            default -> type;
        };
    }

    private static String track(RecordedEvent event) {
        if (isKernel(event)) {
            return event.getString("device") + ", stream of " + event.getString("graph");
        }
        var thread = event.getThread();
        return thread == null ? "unknown thread" : "thread " + thread.getJavaName();
    }
}
