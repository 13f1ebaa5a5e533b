package dev.weft.plan;

import dev.weft.DType;
import java.util.Locale;

/**
 * Parameters of one kind and format, all layers together.
 *
 * @param kind what they do
 * @param mtp whether they belong to the MTP blocks instead of the main stack
 * @param stored format in the checkpoint; packed FP4 is {@link DType#F4_E2M1}
 * @param multiplied whether a token is multiplied with each of them; not so for look-ups, gains and offsets
 * @param parameters how many; scales and look-up tables are none
 * @param bytes bytes in the checkpoint, scales included
 */
public record ParameterGroup(Kind kind, boolean mtp, DType stored, boolean multiplied, long parameters, long bytes) {
    /** What parameters do. */
    public enum Kind {
        /** Query and key-value projections; of V3.2 also the output projections. */
        ATTENTION,
        /** Output projections of attention, which ranks can share. */
        OUTPUT_PROJECTIONS,
        /** Projections and position tables that fold tokens into compressed entries. */
        COMPRESSOR,
        /** The indexer with its compressor. */
        INDEXER,
        /** Mixing of the residual streams. */
        HYPER_CONNECTIONS,
        /** Scores of the experts. */
        ROUTER,
        /** Experts by token id. */
        HASH_TABLE,
        /** Experts of which a token takes a few. */
        ROUTED_EXPERTS,
        /** Experts of every token. */
        SHARED_EXPERTS,
        /** Feed-forward layers without experts. */
        DENSE_FFN,
        /** Projections that join token and state before an MTP block; of a DSpark drafter also its heads. */
        MTP_PROJECTIONS,
        /** Norms, attention sinks. */
        VECTORS,
        /** Token embedding; of MTP blocks their own copy. */
        EMBEDDING,
        /** Output head; of MTP blocks their own copy. */
        HEAD;

        /** As in {@code routed experts}. */
        public String title() {
            return this == MTP_PROJECTIONS
                    ? "MTP projections"
                    : name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }
}
