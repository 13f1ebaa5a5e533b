package dev.weft.benchmarks;

/** A ceiling of the machine, measured again in every round. */
interface Limit extends AutoCloseable {
    /** Name in reports. */
    String name();

    /** Seconds that a run of the work takes at least by this limit, measured now. */
    double seconds();

    @Override
    void close();
}
