package dev.weft.benchmarks;

import dev.weft.benchmarks.work.Work;
import java.util.ArrayList;
import java.util.List;

/**
 * Times contenders and limits on one work, alternating in one process: in every round each runs once, and each round
 * begins with the next one, so that what disturbs the machine disturbs all alike. Results are checked against the exact
 * ones first; a contender that computes something else does not take part.
 */
final class Contest {
    /** Rounds and time before counting: the first runs find code and memory cold. */
    private static final int WARMUP_ROUNDS = 3;

    private static final long WARMUP_NANOS = 300_000_000L;

    private final Work work;
    private final List<Contender> contenders;
    private final List<Limit> limits;

    Contest(Work work, List<Contender> contenders, List<Limit> limits) {
        this.work = work;
        this.contenders = contenders;
        this.limits = limits;
    }

    /** Result of one contender. @param error relative error of its numbers @param seconds times of its runs */
    record Entry(String name, String detail, double error, Timings seconds) {}

    /** Result of a contest. @param limits names and times, as bounded below by each limit */
    record Outcome(Work work, List<Entry> entries, List<Bound> limits) {
        /** This library's entry. */
        Entry own() {
            return entries.getFirst();
        }
    }

    /** A limit's times. */
    record Bound(String name, Timings seconds) {}

    Outcome run(int rounds) {
        List<Double> errors = contenders.stream().map(this::check).toList();
        long start = System.nanoTime();
        for (int i = 0; i < WARMUP_ROUNDS || System.nanoTime() - start < WARMUP_NANOS; i++) {
            round(i);
        }
        double[][] seconds = new double[contenders.size() + limits.size()][rounds];
        for (int r = 0; r < rounds; r++) {
            double[] times = round(r);
            for (int i = 0; i < times.length; i++) {
                seconds[i][r] = times[i];
            }
        }
        List<Entry> entries = new ArrayList<>();
        for (int i = 0; i < contenders.size(); i++) {
            Contender c = contenders.get(i);
            entries.add(new Entry(c.name(), c.detail(), errors.get(i), new Timings(seconds[i])));
        }
        List<Bound> bounds = new ArrayList<>();
        for (int i = 0; i < limits.size(); i++) {
            bounds.add(new Bound(limits.get(i).name(), new Timings(seconds[contenders.size() + i])));
        }
        return new Outcome(work, entries, bounds);
    }

    private double[] round(int first) {
        double[] times = new double[contenders.size() + limits.size()];
        for (int i = 0; i < times.length; i++) {
            int at = (first + i) % times.length;
            times[at] = at < contenders.size()
                    ? time(contenders.get(at))
                    : limits.get(at - contenders.size()).seconds();
        }
        return times;
    }

    private static double time(Contender contender) {
        long start = System.nanoTime();
        contender.run();
        return (System.nanoTime() - start) * 1e-9;
    }

    /** Root-mean-square error over the work's points, relative. @throws IllegalStateException if it is too large */
    private double check(Contender contender) {
        contender.run();
        double error = error(work, contender);
        if (!(error <= contender.tolerance())) {
            throw new IllegalStateException(
                    "%s, %s (%s): found a relative error of %.2g, expected at most %.2g; the contenders do not compute the same"
                            .formatted(
                                    work.name(), contender.name(), contender.detail(), error, contender.tolerance()));
        }
        return error;
    }

    /** Root-mean-square error of the last run's results over the work's points, relative to the exact results. */
    static double error(Work work, Contender contender) {
        double squares = 0;
        double of = 0;
        int copy = -1;
        float[] output = {};
        for (Work.Point p : work.points()) {
            if (p.copy() != copy) {
                copy = p.copy();
                output = contender.output(copy);
            }
            double expected = work.expected(p);
            double difference = output[p.row() * work.columns() + p.column()] - expected;
            squares += difference * difference;
            of += expected * expected;
        }
        return Math.sqrt(squares / of);
    }
}
