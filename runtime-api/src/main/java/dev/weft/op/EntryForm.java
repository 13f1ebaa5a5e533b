package dev.weft.op;

/** What happens to a compressed entry after normalisation and rotary embedding. Source: specification 5.4. */
public enum EntryForm {
    /** Stored as it is: exact-semantics mode. */
    PLAIN,
    /** The lanes that do not rotate go through {@link FakeQuantize} E4M3, 64 lanes per scale: main and HCA entries. */
    FP8,
    /** {@link Hadamard} over all lanes: indexer keys in exact-semantics mode. */
    HADAMARD,
    /** {@link Hadamard}, then {@link FakeQuantize} E2M1 with 32 lanes per scale over all lanes: indexer keys. */
    HADAMARD_FP4
}
