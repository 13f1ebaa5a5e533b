package dev.weft.benchmarks;

/** A ceiling of the machine, measured again in every round. */
public interface Limit {
    /** Name in reports. */
    String name();

    /** Seconds that a run of the work takes at least by this limit, measured now. */
    double seconds();
}
