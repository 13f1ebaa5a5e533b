/**
 * Several processes as the ranks of one group: {@link dev.weft.ranks.Launch} reads who started this process,
 * {@link dev.weft.ranks.Ranks} runs work as a rank and ends it cleanly.
 */
package dev.weft.ranks;
