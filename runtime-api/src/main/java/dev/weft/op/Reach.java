package dev.weft.op;

/** Which compressed entries an attention query sees besides its window. Source: specification 5.7. */
public enum Reach {
    /** None: window-only layers. */
    WINDOW,
    /** All finished entries: heavily compressed attention (HCA). */
    ALL,
    /** Those picked by the indexer: compressed sparse attention (CSA). */
    PICKED
}
