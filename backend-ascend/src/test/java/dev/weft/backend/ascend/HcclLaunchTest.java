package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.ranks.Agreement;
import dev.weft.ranks.Launch;
import dev.weft.ranks.Ranks;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceCommunicator;
import java.io.IOException;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Ranks that only variables start: they meet over TCP, then their devices are joined. */
class HcclLaunchTest {
    private static final Duration DEADLINE = Duration.ofSeconds(30);

    private static Launch launch(int rank, int size, int port) {
        return Launch.of(Map.of(
                "RANK", Integer.toString(rank),
                "WORLD_SIZE", Integer.toString(size),
                "MASTER_ADDR", "127.0.0.1",
                "MASTER_PORT", Integer.toString(port)));
    }

    @Test
    void devicesAreJoinedByTheirLibrary() throws IOException {
        int port;
        try (ServerSocket server = new ServerSocket(0)) {
            port = server.getLocalPort();
        }
        try (Emulator emulator = Emulator.start().with("devices", "3");
                Weft weft = Weft.open()) {
            List<List<String>> texts = Threads.run(3, (rank, unused) -> {
                try (Communicator world = Ranks.connect(launch(rank, 3, port), DEADLINE);
                        Device device = weft.device("ascend:" + rank);
                        Communicator group = Ranks.group(world, device.spi(), DEADLINE)) {
                    Agreement.require(world, Map.of("model", "same"));
                    assertThat(group).isInstanceOf(DeviceCommunicator.class);
                    assertThat(group.transport()).startsWith("HCCL of CANN WEFT EMULATOR");
                    return Agreement.texts(group, "names", "rank " + group.rank() + " of " + group.size());
                }
            });
            assertThat(texts).containsOnly(List.of("rank 0 of 3", "rank 1 of 3", "rank 2 of 3"));
            assertThat(emulator.faults()).isEmpty();
        }
    }
}
