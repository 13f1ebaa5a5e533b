package dev.weft.bench;

import dev.weft.runtime.Device;
import dev.weft.runtime.Execution;
import dev.weft.spi.HardwareLimit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntConsumer;

/**
 * Rounds of a measurement: in each the work runs once and its ceilings are measured once, so that both see the same
 * machine.
 *
 * @param count rounds that count
 * @param warmUp rounds before them
 */
public record Rounds(int count, int warmUp) {
    /** All rounds, those included that do not count. */
    public int total() {
        return warmUp + count;
    }

    /** What is repeated; it need not be the same each time. */
    public interface Trial {
        /** Prepares a round; its time does not count. */
        default void prepare(int round) {}

        /** Does the work of the prepared round. */
        void run();

        /** Does the work of the prepared round. Returns how many nanoseconds it took, 1 or more. */
        default long time() {
            long start = System.nanoTime();
            run();
            return Math.max(1, System.nanoTime() - start);
        }

        /** Looks at what the round did; its time does not count. */
        default void finish(int round) {}
    }

    /** A run of {@code execution}, timed by the device's clock if it has one. */
    static class Run implements Trial {
        private final Execution execution;

        Run(Execution execution) {
            this.execution = execution;
        }

        @Override
        public void run() {
            execution.run();
        }

        @Override
        public long time() {
            return execution.time();
        }
    }

    /** Repeats a trial that takes times itself, without ceilings. @param progress receives the number of rounds done */
    void run(Trial trial, IntConsumer progress) {
        for (int round = 0; round < total(); round++) {
            trial.prepare(round);
            trial.run();
            trial.finish(round);
            progress.accept(round + 1);
        }
    }

    /**
     * Times a trial.
     *
     * @param bytes what a round moves, about
     * @param units what computes at best
     * @param progress receives the number of rounds done
     */
    public Series run(Device device, double bytes, Set<HardwareLimit> units, Trial trial, IntConsumer progress) {
        double[] seconds = new double[count];
        List<Ceilings.Rates> rates = new ArrayList<>();
        Optional<Ceilings> ceilings = Ceilings.of(device, bytes, units);
        try {
            for (int round = 0; round < total(); round++) {
                trial.prepare(round);
                long nanos = trial.time();
                trial.finish(round);
                Optional<Ceilings.Rates> now = ceilings.map(Ceilings::measure);
                if (round >= warmUp) {
                    seconds[round - warmUp] = nanos / 1e9;
                    now.ifPresent(rates::add);
                }
                progress.accept(round + 1);
            }
            return new Series(seconds, rates, ceilings.map(Ceilings::measuredBy).orElse(""));
        } finally {
            ceilings.ifPresent(Ceilings::close);
        }
    }
}
