package dev.weft.model;

/**
 * What one session holds, in bytes. Forks and remembered prefixes count shared pages each.
 *
 * @param rings on the device: the rings of its slot, those of the MTP block included
 * @param ownPages on the device: cache pages that nobody else holds
 * @param sharedPages on the device: cache pages that forks or a prefix cache hold too
 * @param streams on the host: residual streams of the last positions, for the MTP block
 * @param tokens on the host: the list of tokens and that of pages, with the room they have to grow
 */
public record SessionMemory(long rings, long ownPages, long sharedPages, long streams, long tokens) {
    /** Bytes on the device. */
    public long device() {
        return rings + ownPages + sharedPages;
    }

    /** Bytes on the host. */
    public long host() {
        return streams + tokens;
    }
}
