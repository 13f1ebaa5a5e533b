package dev.weft.reference;

/** Entries of paged caches {@code [P, E, w]} found through a page table {@code [B, M]}. */
final class Pages {
    private Pages() {}

    /** Row of the cache that holds entry j of a sequence. */
    static long row(HostOperand cache, HostOperand pages, int sequence, int j) {
        int perPage = cache.dim(1);
        long page = pages.codes(sequence)[j / perPage];
        return page * perPage + j % perPage;
    }

    static float[] entry(HostOperand cache, HostOperand pages, int sequence, int j) {
        return cache.row(row(cache, pages, sequence, j));
    }
}
