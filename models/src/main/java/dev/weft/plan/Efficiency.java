package dev.weft.plan;

/**
 * How close a real step comes to the peaks.
 *
 * @param memory share of the memory rate
 * @param compute share of the computing rate
 * @param layerSeconds time per layer that neither explains: launches, synchronisation, small operators
 */
public record Efficiency(double memory, double compute, double layerSeconds) {
    /** The peaks themselves. */
    public static final Efficiency ROOFLINE = new Efficiency(1, 1, 0);

    /** A least-squares fit in log space over published decode points; {@link #FIT} says over which and how well. */
    public static final Efficiency CALIBRATED = new Efficiency(0.65, 0.35, 330e-6);

    /** Root mean square of the logarithms by which {@link #CALIBRATED} misses the points that it was fitted to. */
    public static final double FIT_ERROR = 0.20;

    /** What {@link #CALIBRATED} was fitted to and how far it is off; for people. */
    public static final String FIT =
            "Fitted to decode points that the CANN recipes publish. Of the 17 published now, 15 on"
                    + " 950DT and 2 on A3, rms log error 0.20; on 950DT the worst miss is +36 % (Flash, batch 768, 128 K; +29 % with FP4"
                    + " index keys), all others are within 24 %; both A3 points come out 35 % too fast. It says nothing about other"
                    + " makers' devices.";
}
