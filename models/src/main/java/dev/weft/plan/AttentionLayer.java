package dev.weft.plan;

/**
 * What one layer of the main stack attends to and keeps.
 *
 * @param kind name of the kind: {@code window}, {@code CSA}, {@code HCA}, {@code DSA}
 * @param window latest tokens kept and attended to one by one; 0 if there is no window
 * @param ratio tokens folded into one compressed entry; 0 if there are none
 * @param topK compressed entries that the indexer selects; 0 if all are attended to
 * @param heads query heads, which share one head of keys and values
 * @param keyLanes width of the product of a query and a key
 * @param valueLanes width of the product of a weight and a value
 * @param indexLanes heads times width of the indexer; 0 if there is none
 * @param tailBytes state of the tokens that are not folded yet, per sequence
 */
public record AttentionLayer(
        String kind,
        int window,
        int ratio,
        int topK,
        int heads,
        int keyLanes,
        int valueLanes,
        long indexLanes,
        long tailBytes) {
    /** Entries of the window at a context of {@code tokens}. */
    long windowEntries(long tokens) {
        return Math.min(tokens, window);
    }

    /** Compressed entries at a context of {@code tokens}; only whole ones are there. */
    long compressedEntries(long tokens) {
        return ratio == 0 ? 0 : tokens / ratio;
    }

    /** Index keys that one token is scored against. */
    long scannedKeys(long tokens) {
        return indexLanes == 0 ? 0 : compressedEntries(tokens);
    }

    /** Entries that one token attends to. */
    long attendedEntries(long tokens) {
        long compressed = compressedEntries(tokens);
        return windowEntries(tokens) + (topK == 0 ? compressed : Math.min(compressed, topK));
    }

    /** FLOPs of one token's attention. */
    double coreFlops(long tokens) {
        return 2.0 * attendedEntries(tokens) * heads * (keyLanes + valueLanes);
    }

    /** FLOPs of one token's index scores. */
    double indexFlops(long tokens) {
        return 2.0 * scannedKeys(tokens) * indexLanes;
    }
}
