package dev.weft.backend.ascend;

import dev.weft.CommunicatorException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What HCCL takes from each rank's environment and must be equal on all of them, by name. Ranks that differ may exchange
 * their first bytes and then wait for ever in a larger collective.
 */
record HcclSettings(Map<String, String> values) {
    /** Variables of HCCL that choose buffers or algorithms. */
    private static final List<String> VARIABLES = List.of(
            "HCCL_DETERMINISTIC",
            "HCCL_OP_EXPANSION_MODE",
            "HCCL_ALGO",
            "HCCL_INTRA_ROCE_ENABLE",
            "HCCL_INTRA_PCIE_ENABLE");

    private static final int TEXT_BYTES = 1024;
    private static final int HASH_DIGITS = 16;

    /** Those of this process. */
    static HcclSettings of(CannInstallation cann, String soc, AscendOptions options) {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("CANN", cann.version());
        values.put("product", soc.replaceFirst("_.*", "")); // bins of one product work together
        values.put("HCCL_BUFFSIZE", Integer.toString(options.bufferMegabytes()));
        VARIABLES.forEach(name -> values.put(name, System.getenv().getOrDefault(name, "unset")));
        values.put("rank table", options.rankTable().isEmpty() ? "none" : digest(Path.of(options.rankTable())));
        return new HcclSettings(values);
    }

    private static String digest(Path file) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file));
            return HexFormat.of().formatHex(hash).substring(0, HASH_DIGITS);
        } catch (IOException e) {
            return "unreadable";
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e); // every Java has it
        }
    }

    /**
     * Compares with all ranks; called by all.
     *
     * @throws CommunicatorException on every rank, naming each difference and the ranks that have it
     */
    void requireSame(HcclGroup group) {
        List<String> differences = new ArrayList<>();
        List<List<String>> all = gather(group);
        int i = 0;
        for (String name : values.keySet()) {
            Map<String, List<Integer>> ranks = new LinkedHashMap<>();
            for (int rank = 0; rank < all.size(); rank++) {
                String theirs = i < all.get(rank).size() ? all.get(rank).get(i) : "nothing";
                ranks.computeIfAbsent(theirs, v -> new ArrayList<>()).add(rank);
            }
            if (ranks.size() > 1) {
                List<String> texts = new ArrayList<>();
                ranks.forEach((value, who) -> texts.add("'" + value + "' on rank" + (who.size() > 1 ? "s " : " ")
                        + who.toString().replaceAll("[\\[\\]]", "")));
                differences.add(name + " is " + String.join(", ", texts));
            }
            i++;
        }
        if (!differences.isEmpty()) {
            throw new CommunicatorException("rank " + group.rank() + " of " + group.size() + " on "
                    + group.device().info().id() + ": ranks do not agree: " + String.join("; ", differences)
                    + "; start all ranks with the same environment and installation");
        }
    }

    private List<List<String>> gather(HcclGroup group) {
        byte[] text = String.join("\n", values.values()).getBytes(StandardCharsets.UTF_8);
        Arena arena = Arena.global(); // HCCL may write to it after a failure
        MemorySegment mine = arena.allocate(TEXT_BYTES, 8);
        MemorySegment all = arena.allocate((long) TEXT_BYTES * group.size(), 8);
        mine.copyFrom(MemorySegment.ofArray(text).asSlice(0, Math.min(text.length, TEXT_BYTES - 1)));
        group.allGather("settings", mine, all);
        List<List<String>> texts = new ArrayList<>();
        for (int i = 0; i < group.size(); i++) {
            texts.add(List.of(
                    all.asSlice((long) i * TEXT_BYTES, TEXT_BYTES).getString(0).split("\n", -1)));
        }
        return texts;
    }
}
