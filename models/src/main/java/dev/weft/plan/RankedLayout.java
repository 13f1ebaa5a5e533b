package dev.weft.plan;

import org.jspecify.annotations.Nullable;

/**
 * A layout among others.
 *
 * @param layout the layout
 * @param step its decode step; null if it does not fit
 * @param chosen whether it is the one to use
 * @param verdict why it was taken or not; for people
 */
public record RankedLayout(Layout layout, @Nullable StepTime step, boolean chosen, String verdict) {}
