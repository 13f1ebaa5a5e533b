package dev.weft.model;

/**
 * What a model holds, in bytes.
 *
 * @param weights on the device: weights, or the part of them that is kept there
 * @param states on the device: rings and cache pages of all sequences, with what the device adds to them
 * @param executions on the device: activations and scratch memory of a step
 * @param ringsPerSession part of {@code states}: rings of one session
 * @param page part of {@code states}: one page of {@link LoadOptions#PAGE_TOKENS} tokens
 * @param pages number of pages
 * @param freePages how many of them nobody holds
 * @param snapshots on the host: memory of ring copies, for prefix caches and for saving
 */
public record ModelMemory(
        long weights,
        long states,
        long executions,
        long ringsPerSession,
        long page,
        int pages,
        int freePages,
        long snapshots) {
    /** Bytes on the device. */
    public long device() {
        return weights + states + executions;
    }
}
