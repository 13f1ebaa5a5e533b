package dev.weft.ranks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The file by which HCCL finds ranks, as cluster software for Ascend writes it (often {@code hccl.json}). Weft reads of it
 * who the ranks are, to hold it against the launcher's variables; addresses are HCCL's affair. Versions: 1.0 (A2), 1.2 (A3,
 * with super pods), 2.0 (950). Source: HCCL's user guide, "Rank Table Configuration" of each product.
 */
public final class RankTable {
    /** Variable that names the file. */
    public static final String VARIABLE = "RANK_TABLE_FILE";

    /** No table with all the ranks of the largest cluster is larger. */
    private static final long MOST_BYTES = 1L << 30;

    private static final int UNKNOWN = -1;

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Path file;

    /** By rank: which one it is on its server, {@link #UNKNOWN} if the table does not tell servers apart. */
    private final int[] localRanks;

    private RankTable(Path file, int[] localRanks) {
        this.file = file;
        this.localRanks = localRanks;
    }

    /** The table that {@link #VARIABLE} names, empty if it is not set. @throws LaunchException as {@link #read} */
    public static Optional<RankTable> of(Map<String, String> environment) {
        String file = environment.getOrDefault(VARIABLE, "").strip();
        return file.isEmpty() ? Optional.empty() : Optional.of(read(Path.of(file)));
    }

    /** @throws LaunchException if it cannot be read, is not complete, or contradicts itself */
    public static RankTable read(Path file) {
        String subject = "rank table " + file;
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw new LaunchException(
                        subject + ": found " + Files.size(file) + " bytes, expected at most " + MOST_BYTES);
            }
            return new RankTable(file, new Reader(subject).ranks(JSON.readTree(Files.readAllBytes(file))));
        } catch (IOException e) {
            throw new LaunchException(subject + ": cannot be read (" + e + "); " + VARIABLE
                    + " must name a file that this process can read");
        } catch (JacksonException e) {
            throw new LaunchException(subject + ": found no JSON (" + e.getOriginalMessage()
                    + "), expected what HCCL's user guide describes, without comments");
        }
    }

    /** Number of ranks. */
    public int size() {
        return localRanks.length;
    }

    /** Which one a rank is on its server, empty if the table does not say it. */
    public OptionalInt localRank(int rank) {
        return localRanks[rank] == UNKNOWN ? OptionalInt.empty() : OptionalInt.of(localRanks[rank]);
    }

    /** @throws LaunchException if the launcher says something else */
    public void requireSame(int rank, int size) {
        if (size != size()) {
            throw new LaunchException("rank table " + file + ": found " + size() + " ranks, the launcher says rank "
                    + rank + " of " + size + "; give the table of this job, or unset " + VARIABLE);
        }
    }

    /** Reads the parts that all versions have, and says where something is wrong. */
    private static final class Reader {
        private final String subject;

        Reader(String subject) {
            this.subject = subject;
        }

        int[] ranks(JsonNode table) {
            String status = text(table, "status", "the table");
            if (!status.equals("completed")) {
                throw wrong(
                        "status '" + status + "', expected 'completed': whoever writes the table has not finished it;"
                                + " start the ranks afterwards");
            }
            String version = text(table, "version", "the table");
            return switch (version) {
                case "1.0" -> ofServers(table);
                case "1.2" -> {
                    array(table, "super_pod_list", "the table of version 1.2");
                    yield ofServers(table);
                }
                case "2.0" -> ofList(table);
                default -> throw wrong("version '" + version + "', expected 1.0, 1.2 or 2.0");
            };
        }

        private int[] ofServers(JsonNode table) {
            JsonNode servers = array(table, "server_list", "the table");
            requireCount(table, "server_count", servers.size());
            int count = 0;
            for (JsonNode server : servers) {
                count += array(server, "device", "a server").size();
            }
            int[] locals = new int[count];
            Arrays.fill(locals, UNKNOWN);
            Set<String> names = new HashSet<>();
            for (JsonNode server : servers) {
                String name = text(server, "server_id", "a server");
                if (!names.add(name)) {
                    throw wrong("server_id '" + name + "' twice, expected each server once");
                }
                JsonNode devices = array(server, "device", "server " + name);
                Set<Integer> ids = new HashSet<>();
                int[] here = new int[devices.size()];
                for (int i = 0; i < here.length; i++) {
                    here[i] = number(devices.get(i), "rank_id", "server " + name);
                    int id = number(devices.get(i), "device_id", "server " + name);
                    if (!ids.add(id)) {
                        throw wrong("device_id " + id + " twice on server " + name + ", expected a device per rank");
                    }
                }
                Arrays.sort(here);
                for (int i = 0; i < here.length; i++) {
                    set(locals, here[i], i);
                }
            }
            return locals;
        }

        /** Its layers name racks and planes rather than servers, so that who shares a server is not known. */
        private int[] ofList(JsonNode table) {
            JsonNode list = array(table, "rank_list", "the table");
            requireCount(table, "rank_count", list.size());
            int[] seen = new int[list.size()];
            Arrays.fill(seen, UNKNOWN);
            for (JsonNode one : list) {
                number(one, "device_id", "a rank");
                set(seen, number(one, "rank_id", "a rank"), 0);
            }
            Arrays.fill(seen, UNKNOWN);
            return seen;
        }

        private void set(int[] locals, int rank, int local) {
            if (rank >= locals.length || locals[rank] != UNKNOWN) {
                throw wrong("rank_id " + rank + (rank >= locals.length ? "" : " twice") + " among " + locals.length
                        + " devices, expected each from 0 to " + (locals.length - 1) + " once");
            }
            locals[rank] = local;
        }

        private void requireCount(JsonNode table, String name, int found) {
            int said = number(table, name, "the table");
            if (said != found) {
                throw wrong(name + " " + said + " with a list of " + found + ", expected the same");
            }
        }

        private JsonNode array(JsonNode in, String name, String where) {
            JsonNode value = in.path(name);
            if (!value.isArray() || value.isEmpty()) {
                throw wrong("no list '" + name + "' in " + where);
            }
            return value;
        }

        private String text(JsonNode in, String name, String where) {
            JsonNode value = in.path(name);
            if (!value.isString()) {
                throw wrong("no text '" + name + "' in " + where);
            }
            return value.stringValue();
        }

        /** Versions 1 write numbers as texts, version 2.0 as numbers. */
        private int number(JsonNode in, String name, String where) {
            JsonNode value = in.path(name);
            String digits = value.isString() ? value.stringValue() : value.toString();
            if (!digits.matches("[0-9]{1,6}")) {
                throw wrong("no number '" + name + "' in " + where);
            }
            return Integer.parseInt(digits);
        }

        private LaunchException wrong(String found) {
            return new LaunchException(subject + ": found " + found);
        }
    }
}
