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

    /**
     * A least-squares fit in log space over 16 decode points that the CANN recipes publish, 14 on 950DT and 2 on A3; rms
     * log error {@value #FIT_RMS_LOG_ERROR}. It says nothing about other makers' devices.
     */
    public static final Efficiency CALIBRATED = new Efficiency(0.65, 0.35, 330e-6);

    /** Points of the fit. */
    public static final int FIT_POINTS = 16;

    /** Root mean square of the logarithm of predicted over published time. */
    public static final double FIT_RMS_LOG_ERROR = 0.20;
}
