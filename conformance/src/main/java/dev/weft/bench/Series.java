package dev.weft.bench;

import dev.weft.bench.Ceilings.Rates;
import dev.weft.spi.HardwareLimit;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/** Times of rounds, with the ceilings measured in the same rounds. */
public final class Series {
    private final double[] seconds;
    private final List<Rates> rates;
    private final String measuredBy;

    /** @param rates one per round, or none if the device measures no ceiling */
    Series(double[] seconds, List<Rates> rates, String measuredBy) {
        this.seconds = seconds.clone();
        this.rates = List.copyOf(rates);
        this.measuredBy = measuredBy;
    }

    /** The rounds held against what they had to do. */
    public Result result(String name, Work work) {
        return result(name, work, seconds);
    }

    /** A part of the rounds held against what that part had to do. @param seconds one entry per round */
    public Result result(String name, Work work, double[] seconds) {
        return new Result(name, work, seconds, rates.isEmpty() ? Optional.empty() : Optional.of(limit(work, seconds)));
    }

    /** The ceilings of the rounds; empty if the device measures none. */
    public Optional<Roof> roof() {
        if (rates.isEmpty()) {
            return Optional.empty();
        }
        Map<HardwareLimit, Double> medians = new EnumMap<>(HardwareLimit.class);
        for (HardwareLimit kind : rates.getFirst().perSecond().keySet()) {
            medians.put(
                    kind,
                    Quantile.median(
                            rates.stream().mapToDouble(r -> r.rate(kind)).toArray()));
        }
        return Optional.of(new Roof(medians, measuredBy));
    }

    private Result.Limit limit(Work work, double[] taken) {
        double[] shares = new double[taken.length];
        for (int i = 0; i < taken.length; i++) {
            shares[i] = rates.get(i).seconds(work) / taken[i];
        }
        double read = Quantile.median(rates.stream().mapToDouble(Rates::read).toArray());
        double compute =
                Quantile.median(rates.stream().mapToDouble(r -> r.compute(work)).toArray());
        boolean reads = work.bytes() / read >= work.flops() / compute;
        HardwareLimit kind = reads ? HardwareLimit.READ : rates.getFirst().unit(work);
        return new Result.Limit(kind, reads ? read : compute, roof().orElseThrow(), shares);
    }

    /** The sum of the shortest times of all of {@code works}, one after another; empty if the device measures no ceiling. */
    public OptionalDouble floors(List<Work> works) {
        return roof().map(r -> new Rates(r.perSecond()))
                .map(r -> OptionalDouble.of(works.stream().mapToDouble(r::seconds).sum()))
                .orElseGet(OptionalDouble::empty);
    }
}
