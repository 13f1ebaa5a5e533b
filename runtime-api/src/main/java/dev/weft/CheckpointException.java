package dev.weft;

/** A model file is wrong; the message carries file, tensor, what was found and what was expected. */
public class CheckpointException extends WeftException {
    private static final long serialVersionUID = 1L;

    public CheckpointException(String message) {
        super(message);
    }

    public CheckpointException(String message, Throwable cause) {
        super(message, cause);
    }
}
