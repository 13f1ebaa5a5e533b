package dev.weft.plan;

/**
 * Where the time of one decode step goes, in seconds.
 *
 * @param memory reading weights and caches
 * @param compute products
 * @param exchange sending tokens to their experts and back
 * @param launch what is lost per layer
 */
public record StepTime(double memory, double compute, double exchange, double launch) {
    /** The whole step: memory and products overlap, the rest does not. */
    public double seconds() {
        return Math.max(memory, compute) + exchange + launch;
    }

    /** What the step waits for longest. */
    public String bound() {
        double work = Math.max(memory, compute);
        if (Math.max(exchange, launch) > work) {
            return exchange > launch ? "exchange" : "launch";
        }
        return memory >= compute ? "memory" : "compute";
    }
}
