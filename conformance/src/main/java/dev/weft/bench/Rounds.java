package dev.weft.bench;

import dev.weft.runtime.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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

    /** Repeats something; it need not be the same work each time. */
    public interface Trial {
        /** Prepares a round; its time does not count. */
        default void prepare(int round) {}

        /** Does the work of the prepared round. */
        void run();
    }

    /**
     * Times the whole of a trial.
     *
     * @param work what one round has to do
     * @param progress receives the number of rounds done
     */
    public Result measure(Device device, String name, Work work, Trial trial, IntConsumer progress) {
        double[] seconds = new double[count];
        try (Beside beside = new Beside(device, work)) {
            for (int i = -warmUp; i < count; i++) {
                trial.prepare(i + warmUp);
                double taken = time(trial);
                beside.measure();
                if (i >= 0) {
                    seconds[i] = taken;
                }
                progress.accept(i + warmUp + 1);
            }
            return beside.result(name, work, seconds);
        }
    }

    static double time(Trial trial) {
        long start = System.nanoTime();
        trial.run();
        return Math.max(1, System.nanoTime() - start) / 1e9;
    }

    /** The ceilings measured beside the rounds, if there are any. */
    final class Beside implements AutoCloseable {
        private final Optional<Ceilings> ceilings;
        private final List<Ceilings.Rates> rates = new ArrayList<>();

        Beside(Device device, Work work) {
            this.ceilings = Ceilings.of(device, work);
        }

        void measure() {
            ceilings.ifPresent(c -> rates.add(c.measure()));
        }

        /** Holds work against the ceilings of its rounds. @param seconds one entry per round that counts */
        Result result(String name, Work work, double[] seconds) {
            Ceilings.Rates[] counted = rates.stream().skip(warmUp).toArray(Ceilings.Rates[]::new);
            return new Result(
                    name,
                    work,
                    seconds,
                    ceilings.map(c -> Result.limit(work, seconds, c.unit(), c.measuredBy(), counted)));
        }

        @Override
        public void close() {
            ceilings.ifPresent(Ceilings::close);
        }
    }
}
