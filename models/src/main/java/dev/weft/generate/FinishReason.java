package dev.weft.generate;

/** Why a generation ended. */
public enum FinishReason {
    /** One of the stop ids was generated, or the request's own test said so. */
    STOP,
    /** {@link dev.weft.model.Sampling#maxTokens} was reached. */
    LENGTH,
    /** The longest sequence that the model was loaded for was reached. */
    CONTEXT,
    /** It was cancelled. */
    CANCELLED,
    /** An error ended it; {@link Generation#await} throws it. */
    FAILED
}
