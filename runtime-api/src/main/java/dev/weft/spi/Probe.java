package dev.weft.spi;

/** What a provider found out about its backend without opening it. */
public sealed interface Probe {
    /**
     * The backend can be opened.
     *
     * @param priority order among backends when the best device is asked for; accelerators above 100, host below
     * @param version version of what was found, for people
     */
    record Available(int priority, String version) implements Probe {}

    /**
     * The backend cannot be opened here.
     *
     * @param reason what was searched and not found, or found and unfit, and what to do
     */
    record Absent(String reason) implements Probe {}
}
