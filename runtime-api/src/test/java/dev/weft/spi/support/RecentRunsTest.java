package dev.weft.spi.support;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RecentRunsTest {
    private static final class Run {
        private final int extents;
        private boolean recorded;

        Run(int extents) {
            this.extents = extents;
        }
    }

    private final List<Integer> destroyed = new ArrayList<>();
    private final RecentRuns<Integer, Run> runs = new RecentRuns<>(2, r -> r.recorded, r -> {
        if (r.recorded) {
            destroyed.add(r.extents);
        }
    });

    private Run run(int extents) {
        return runs.of(extents, () -> new Run(extents));
    }

    private void record(int extents) {
        Run run = run(extents);
        runs.makeRoomForRecording();
        run.recorded = true;
    }

    @Test
    void extentsOfOneStepPushOutNoRecording() {
        record(1);
        record(2);
        for (int i = 10; i < 20; i++) {
            run(i);
        }
        assertThat(runs.all()).extracting(r -> r.extents).containsExactly(1, 2, 18, 19);
        assertThat(run(1).recorded).isTrue();
        assertThat(destroyed).isEmpty();
    }

    @Test
    void theRecordingUnusedForLongestGivesWay() {
        record(1);
        record(2);
        run(1);
        record(3);
        assertThat(destroyed).containsExactly(2);
        assertThat(run(2).recorded).as("begins anew").isFalse();
    }

    /** What is recorded without having made room first. */
    @Test
    void roomIsMadeForAllThatCameTogether() {
        for (int i = 1; i < 6; i++) {
            run(i).recorded = true;
        }
        runs.makeRoomForRecording();
        assertThat(destroyed).containsExactly(1, 2, 3, 4);
        assertThat(runs.all()).extracting(r -> r.extents).containsExactly(5);
    }

    @Test
    void closeGoesOnAfterAFailure() {
        List<Integer> closed = new ArrayList<>();
        RecentRuns<Integer, Integer> all = new RecentRuns<>(3, r -> true, r -> {
            closed.add(r);
            throw new IllegalStateException("destroying " + r);
        });
        for (int i = 1; i < 4; i++) {
            int extents = i;
            all.of(i, () -> extents);
        }
        assertThatThrownBy(all::close)
                .hasMessage("destroying 1")
                .satisfies(e -> assertThat(e.getSuppressed()).hasSize(2));
        assertThat(closed).containsExactly(1, 2, 3);
        assertThat(all.all()).isEmpty();
    }

    @Test
    void keepingNothingIsRefused() {
        assertThatThrownBy(() -> new RecentRuns<Integer, Integer>(0, r -> true, r -> {}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("found 0, expected 1 or more");
    }

    @Test
    void closeDestroysAll() {
        record(1);
        record(2);
        run(3);
        runs.close();
        assertThat(destroyed).containsExactly(1, 2);
        assertThat(runs.all()).isEmpty();
    }
}
