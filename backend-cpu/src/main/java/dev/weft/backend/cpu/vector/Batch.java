package dev.weft.backend.cpu.vector;

/** Which sequence a row belongs to, and where a sequence's compressed entries lie. */
final class Batch {
    private Batch() {}

    /** The sequence b with {@code starts[b] <= row < starts[b+1]}; -1 if no sequence has the row. */
    static int sequence(Operands a, int starts, int row) {
        int sequences = (int) a.dim(starts, 0) - 1;
        for (int b = 0; b < sequences; b++) {
            if (row >= Memory.index(a, starts, b) && row < Memory.index(a, starts, b + 1)) {
                return b;
            }
        }
        return -1;
    }

    /** Address of entry {@code j} of a sequence in {@code cache [P, E, w]}, found through {@code pages [B, M]}. */
    static long entry(Operands a, int cache, int pages, int sequence, long j) {
        long entries = a.dim(cache, 1);
        int page = Memory.i32(a.address(pages) + 4 * (sequence * a.pitch(pages) + j / entries));
        return Memory.at(a.dtype(cache), a.address(cache), page * a.pitch(cache) + j % entries * a.dim(cache, 2));
    }
}
