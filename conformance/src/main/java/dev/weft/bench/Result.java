package dev.weft.bench;

import dev.weft.spi.HardwareLimit;
import java.util.Arrays;
import java.util.Optional;

/**
 * One piece of work as measured, round by round.
 *
 * @param name what ran
 * @param work what it had to do
 * @param seconds how long it took, one entry per round
 * @param limit what it was held against; empty if the device measures no ceiling
 */
public record Result(String name, Work work, double[] seconds, Optional<Limit> limit) {
    /**
     * The ceiling that the work hits first.
     *
     * @param kind memory or computing unit
     * @param value its rate, median of the rounds
     * @param roof all ceilings that were measured between the rounds
     * @param shares the shortest possible time over the time taken, one entry per round
     */
    public record Limit(HardwareLimit kind, double value, Roof roof, double[] shares) {
        /** What measured it. */
        public String measuredBy() {
            return roof.measuredBy();
        }

        /** Share of the limit, median of the rounds; above 1 if operands came from a cache. */
        public double share() {
            return Quantile.median(shares);
        }

        /** Share of the limit that nine in ten rounds reach. */
        public double shareP10() {
            return Quantile.p10(shares);
        }
    }

    /** This result under another name. */
    public Result named(String other) {
        return new Result(other, work, seconds, limit);
    }

    /** This result, held against nothing: what it reads need not come from memory. */
    Result withoutLimit() {
        return new Result(name, work, seconds, Optional.empty());
    }

    /** Time of the fastest tenth of the rounds. */
    public double secondsP10() {
        return Quantile.p10(seconds);
    }

    /** Time of the middle round. */
    public double secondsMedian() {
        return Quantile.median(seconds);
    }

    /** Time that nine in ten rounds do not exceed. */
    public double secondsP90() {
        return Quantile.of(0.9, seconds);
    }

    /** Time of the fastest round. */
    public double secondsLeast() {
        return Arrays.stream(seconds).min().orElseThrow();
    }

    /** Mean time of a round. */
    public double secondsMean() {
        return Sample.mean(seconds);
    }

    /** Standard deviation of the rounds' times, with the divisor {@code n - 1}. */
    public double secondsDeviation() {
        return Sample.deviation(seconds);
    }

    /** How many of {@code things} done in every round are done per second. */
    public Rate rate(double things) {
        double[] rates = Arrays.stream(seconds).map(s -> things / s).toArray();
        return new Rate(
                Sample.mean(rates),
                Sample.deviation(rates),
                Arrays.stream(rates).min().orElseThrow());
    }

    /**
     * A rate over the rounds.
     *
     * @param mean mean of the rounds' rates
     * @param deviation their standard deviation, with the divisor {@code n - 1}
     * @param least rate of the slowest round
     */
    public record Rate(double mean, double deviation, double least) {}

    /** Bytes per second in the middle round. */
    public double bytesPerSecond() {
        return work.bytes() / secondsMedian();
    }

    /** Operations per second in the middle round. */
    public double flopsPerSecond() {
        return work.flops() / secondsMedian();
    }
}
