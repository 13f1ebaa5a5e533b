package dev.weft.model.config;

/** What a layer attends to (specification 1.2), decided by its compression ratio alone. */
public enum LayerKind {
    /** Ratio 0: the sliding window only. */
    WINDOW,
    /** Ratio 4: window, and the compressed entries that the lightning indexer selects; overlapping compressor. */
    CSA,
    /** Any other ratio: window and all compressed entries. */
    HCA;

    /** The ratio that switches overlap and indexer on; a constant of the architecture, not in the configuration. */
    public static final int CSA_RATIO = 4;

    static LayerKind of(int ratio) {
        return switch (ratio) {
            case 0 -> WINDOW;
            case CSA_RATIO -> CSA;
            default -> HCA;
        };
    }
}
