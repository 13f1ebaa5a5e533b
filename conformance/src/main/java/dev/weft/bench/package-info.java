/**
 * How close a device comes to what its hardware can do: work and ceilings measured in turn, in one process, compared round
 * by round.
 */
package dev.weft.bench;
