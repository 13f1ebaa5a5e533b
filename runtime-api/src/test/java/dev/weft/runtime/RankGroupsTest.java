package dev.weft.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.RequestException;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.LocalGroup;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class RankGroupsTest {
    private static final Duration LONG = Duration.ofSeconds(10);

    @Test
    void blocksAreOfConsecutiveRanks() throws Exception {
        List<Future<String>> found;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            found = LocalGroup.of(8, LONG).stream()
                    .map(all -> threads.submit(() -> describe(all)))
                    .toList();
        }
        assertThat(found.get(0).get()).isEqualTo("0 of world, 0 of ranks 0-3, 0 of ranks 0-1");
        assertThat(found.get(5).get()).isEqualTo("5 of world, 1 of ranks 4-7, 1 of ranks 4-5");
    }

    private static String describe(Communicator all) {
        try (RankGroups groups = RankGroups.split(all, Set.of(2, 8, 4))) {
            assertThat(groups.of(8)).containsSame(all);
            assertThat(groups.of(1)).isEmpty();
            assertThat(groups).hasToString("group world of 8 with blocks of [2, 4]");
            Communicator four = groups.of(4).orElseThrow();
            Communicator two = groups.of(2).orElseThrow();
            return all.rank() + " of " + all.name() + ", " + four.rank() + " of " + four.name() + ", " + two.rank()
                    + " of " + two.name();
        }
    }

    @Test
    void blocksThatDoNotDivideAreRefusedBeforeAnybodyWaits() {
        Communicator first = LocalGroup.of(8, LONG).getFirst();
        for (int size : new int[] {3, 0, 16}) {
            assertThatThrownBy(() -> RankGroups.split(first, Set.of(size)))
                    .isInstanceOf(RequestException.class)
                    .hasMessage(
                            "group world of 8 ranks: found blocks of " + size + ", expected a divisor of the ranks");
        }
    }
}
