package dev.weft.ranks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** HCCL's rank tables: of every version, of other jobs, and broken ones. */
class RankTableTest {
    /** Two servers; ranks in another order than devices. */
    private static final String SERVERS = """
            {"status": "completed", "version": "1.0", "server_count": "2", "server_list": [
              {"server_id": "node_0", "host_ip": "172.16.0.100", "device": [
                {"device_id": "4", "device_ip": "192.168.1.8", "rank_id": "1"},
                {"device_id": "5", "device_ip": "192.168.1.9", "rank_id": "0"}]},
              {"server_id": "node_1", "device": [
                {"device_id": "0", "device_ip": "192.168.2.8", "rank_id": "2"}]}]}
            """;

    private static final String LIST = """
            {"version": "2.0", "status": "completed", "rank_count": 2, "rank_list": [
              {"rank_id": 0, "local_id": 0, "device_id": 0, "level_list": [
                {"net_layer": 0, "net_instance_id": "az0-rack0", "net_type": "TOPO_FILE_DESC", "rank_addr_list": []}]},
              {"rank_id": 1, "local_id": 1, "device_id": 1, "level_list": []}]}
            """;

    @TempDir
    private Path folder;

    private RankTable read(String text) throws IOException {
        return RankTable.read(Files.writeString(folder.resolve("hccl.json"), text));
    }

    @Test
    void ranksOfServers() throws IOException {
        RankTable table = read(SERVERS);
        assertThat(table.size()).isEqualTo(3);
        assertThat(table.localRank(0)).hasValue(0);
        assertThat(table.localRank(1)).hasValue(1);
        assertThat(table.localRank(2)).hasValue(0);
        table.requireSame(2, 3);
        assertThatThrownBy(() -> table.requireSame(2, 4))
                .isInstanceOf(LaunchException.class)
                .hasMessageContainingAll("hccl.json: found 3 ranks", "rank 2 of 4", "RANK_TABLE_FILE");
    }

    @Test
    void superPodsAndLists() throws IOException {
        String pods =
                SERVERS.replace("1.0", "1.2").replace("\"server_list\"", "\"super_pod_list\": [{}], \"server_list\"");
        assertThat(read(pods).localRank(1)).hasValue(1);
        RankTable list = read(LIST);
        assertThat(list.size()).isEqualTo(2);
        assertThat(list.localRank(1))
                .as("the table does not tell servers apart")
                .isEmpty();
    }

    @Test
    void theVariableNamesTheFile() throws IOException {
        Path file = Files.writeString(folder.resolve("table.json"), SERVERS);
        assertThat(RankTable.of(Map.of())).isEmpty();
        assertThat(RankTable.of(Map.of("RANK_TABLE_FILE", " " + file))
                        .orElseThrow()
                        .size())
                .isEqualTo(3);
        assertThatThrownBy(() -> RankTable.of(
                        Map.of("RANK_TABLE_FILE", folder.resolve("none").toString())))
                .isInstanceOf(LaunchException.class)
                .hasMessageContainingAll("none: cannot be read", "RANK_TABLE_FILE");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "completed  | initializing | status 'initializing', expected 'completed'",
                "\"1.0\"    | \"3.1\"      | version '3.1', expected 1.0, 1.2 or 2.0",
                "\"1.0\"    | \"1.2\"      | no list 'super_pod_list'",
                "\"1.0\"    | 1            | no text 'version' in the table",
                "server_list | servers     | no list 'server_list' in the table",
                "\"2\", \"server_list | \"3\", \"server_list | server_count 3 with a list of 2",
                "node_1     | node_0       | server_id 'node_0' twice",
                "\"rank_id\": \"0\" | \"rank_id\": \"1\" | rank_id 1 twice among 3 devices",
                "\"rank_id\": \"0\" | \"rank_id\": \"7\" | rank_id 7 among 3 devices, expected each from 0 to 2",
                "\"rank_id\": \"0\" | \"rank_id\": \"-1\" | no number 'rank_id' in server node_0",
                "\"device_id\": \"5\" | \"device_id\": \"4\" | device_id 4 twice on server node_0",
                "\"device_id\": \"5\", | '' | no number 'device_id' in server node_0",
                "{\"status\" | {// a comment | found no JSON",
            })
    void brokenTablesAreRefused(String what, String by, String message) {
        assertThat(SERVERS).contains(what);
        assertThatThrownBy(() -> read(SERVERS.replace(what, by)))
                .isInstanceOf(LaunchException.class)
                .hasMessageStartingWith("rank table ")
                .hasMessageContaining(message);
    }

    @Test
    void brokenListsAreRefused() {
        assertThatThrownBy(() -> read(LIST.replace("\"rank_count\": 2", "\"rank_count\": 3")))
                .hasMessageContaining("rank_count 3 with a list of 2");
        assertThatThrownBy(() -> read(LIST.replace("\"rank_id\": 1", "\"rank_id\": 0")))
                .hasMessageContaining("rank_id 0 twice");
    }
}
