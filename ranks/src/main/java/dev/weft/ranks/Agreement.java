package dev.weft.ranks;

import dev.weft.CommunicatorException;
import dev.weft.spi.Communicator;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * What must be the same on all ranks. Ranks with different models or options would wait for each other in different calls,
 * or compute nonsense without a word.
 */
public final class Agreement {
    /** Longest configuration, in bytes of its text. */
    private static final int MAX_BYTES = 1 << 16;

    private static final String MISSING = "nothing";

    private Agreement() {}

    /**
     * Compares the configurations of all ranks; called by all.
     *
     * @param configuration values by name, without line breaks
     * @throws CommunicatorException on every rank, naming each difference and the ranks that have it
     */
    public static void require(Communicator group, Map<String, String> configuration) {
        List<Map<String, String>> all = gather(group, configuration);
        TreeSet<String> names = new TreeSet<>();
        all.forEach(one -> names.addAll(one.keySet()));
        List<String> differences = new ArrayList<>();
        for (String name : names) {
            Map<String, List<Integer>> ranks = new LinkedHashMap<>();
            for (int i = 0; i < all.size(); i++) {
                ranks.computeIfAbsent(all.get(i).getOrDefault(name, MISSING), v -> new ArrayList<>())
                        .add(i);
            }
            if (ranks.size() > 1) {
                differences.add(name + " is "
                        + ranks.entrySet().stream()
                                .map(e -> "'" + e.getKey() + "' on " + ranksText(e.getValue()))
                                .collect(Collectors.joining(", ")));
            }
        }
        if (!differences.isEmpty()) {
            throw new CommunicatorException("rank " + group.rank() + " of " + group.size()
                    + ": ranks were started differently: " + String.join("; ", differences)
                    + "; start all ranks with the same command, model and version");
        }
    }

    /** Every rank's text, in rank order. Called by all ranks. */
    public static List<String> texts(Communicator group, String what, String mine) {
        byte[] bytes = mine.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_BYTES) {
            throw new CommunicatorException(
                    what + ": found a text of " + bytes.length + " bytes, expected at most " + MAX_BYTES);
        }
        Arena arena = Arena.global(); // a library may write to it after a failure
        MemorySegment length = arena.allocateFrom(ValueLayout.JAVA_INT, bytes.length);
        MemorySegment lengths = arena.allocate((long) group.size() * Integer.BYTES, Integer.BYTES);
        group.allGather(what, length, lengths);
        long longest = 0;
        for (int i = 0; i < group.size(); i++) {
            longest = Math.max(longest, lengths.getAtIndex(ValueLayout.JAVA_INT, i));
        }
        MemorySegment text = arena.allocate(longest);
        MemorySegment.copy(bytes, 0, text, ValueLayout.JAVA_BYTE, 0, bytes.length);
        MemorySegment texts = arena.allocate(longest * group.size());
        group.allGather(what, text, texts);
        List<String> all = new ArrayList<>();
        for (int i = 0; i < group.size(); i++) {
            MemorySegment one = texts.asSlice(i * longest, lengths.getAtIndex(ValueLayout.JAVA_INT, i));
            all.add(new String(one.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8));
        }
        return all;
    }

    private static List<Map<String, String>> gather(Communicator group, Map<String, String> configuration) {
        String mine = new TreeMap<>(configuration)
                .entrySet().stream()
                        .map(e -> e.getKey() + "=" + e.getValue().replace('\n', ' '))
                        .collect(Collectors.joining("\n"));
        return texts(group, "configuration", mine).stream()
                .map(Agreement::parse)
                .toList();
    }

    private static Map<String, String> parse(String text) {
        Map<String, String> values = new TreeMap<>();
        text.lines().forEach(line -> {
            int equals = line.indexOf('=');
            values.put(line.substring(0, equals), line.substring(equals + 1));
        });
        return values;
    }

    private static String ranksText(List<Integer> ranks) {
        return (ranks.size() == 1 ? "rank " : "ranks ")
                + ranks.stream().map(String::valueOf).collect(Collectors.joining(", "));
    }
}
