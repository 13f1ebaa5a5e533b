package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ranks.LaunchException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalDeviceTest {
    private static final Map<String, String> SECOND = Map.of("RANK", "3", "WORLD_SIZE", "4");

    @TempDir
    private Path folder;

    private static Map<String, String> with(String name, Object value) {
        Map<String, String> all = new HashMap<>(SECOND);
        all.put(name, value.toString());
        return all;
    }

    @Test
    void theRankOnTheHostIsTheNumber() {
        assertThat(LocalDevice.id("ascend:local", with("LOCAL_RANK", 1))).isEqualTo("ascend:1");
        assertThat(LocalDevice.id("ascend:local/composite", with("LOCAL_RANK", 1)))
                .isEqualTo("ascend:1/composite");
        assertThat(LocalDevice.id("cuda:2", with("LOCAL_RANK", 1))).isEqualTo("cuda:2");
        assertThat(LocalDevice.id("ascend:local", Map.of())).as("one process").isEqualTo("ascend:0");
        assertThatThrownBy(() -> LocalDevice.id("ascend:local", SECOND))
                .isInstanceOf(LaunchException.class)
                .hasMessageContainingAll("rank 3 of 4", "set LOCAL_RANK");
    }

    @Test
    void aRankTableKnowsItToo() throws IOException {
        Path table = Files.writeString(folder.resolve("hccl.json"), """
                {"status": "completed", "version": "1.0", "server_count": "2", "server_list": [
                  {"server_id": "a", "device": [{"device_id": "0", "rank_id": "0"}, {"device_id": "1", "rank_id": "1"}]},
                  {"server_id": "b", "device": [{"device_id": "0", "rank_id": "2"}, {"device_id": "1", "rank_id": "3"}]}]}
                """);
        Map<String, String> environment = with("RANK_TABLE_FILE", table);
        assertThat(LocalDevice.id("ascend:local", environment)).isEqualTo("ascend:1");
        environment.put("LOCAL_RANK", "0");
        assertThatThrownBy(() -> LocalDevice.id("ascend:local", environment))
                .hasMessageContainingAll("is number 0 on its host, its rank table says 1");
        environment.put("WORLD_SIZE", "8");
        assertThatThrownBy(() -> LocalDevice.id("ascend:local", environment))
                .hasMessageContainingAll("found 4 ranks", "rank 3 of 8");
    }
}
