package dev.weft.ranks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CommunicatorException;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.LocalGroup;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Ranks that compare how they were started. */
class AgreementTest {
    private static List<Future<?>> require(List<Map<String, String>> configurations) {
        List<Communicator> ranks = LocalGroup.of(configurations.size(), Duration.ofSeconds(30));
        List<Future<?>> all = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(ranks.size())) {
            for (int i = 0; i < ranks.size(); i++) {
                Communicator rank = ranks.get(i);
                Map<String, String> mine = configurations.get(i);
                all.add(threads.submit(() -> Agreement.require(rank, mine)));
            }
        }
        return all;
    }

    @Test
    void theSameIsAccepted() throws Exception {
        Map<String, String> one = Map.of("model", "/models/flash", "option", "a=b\nc");
        for (Future<?> rank : require(List.of(one, one, one))) {
            assertThat(rank.get()).isNull();
        }
        for (Future<?> rank : require(List.of(Map.of(), Map.of()))) {
            assertThat(rank.get()).isNull();
        }
    }

    @Test
    void everyDifferenceIsNamedOnEveryRank() {
        for (Future<?> rank : require(List.of(
                Map.of("model", "flash", "weft", "1"),
                Map.of("model", "flash", "weft", "2", "seed", "1"),
                Map.of("model", "flash", "weft", "1")))) {
            assertThatThrownBy(rank::get)
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(CommunicatorException.class)
                    .hasMessageContaining("seed is 'nothing' on ranks 0, 2, '1' on rank 1; ")
                    .hasMessageContaining("weft is '1' on ranks 0, 2, '2' on rank 1;")
                    .satisfies(e -> assertThat(e.getMessage()).doesNotContain("flash"));
        }
    }
}
