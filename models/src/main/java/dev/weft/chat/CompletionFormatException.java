package dev.weft.chat;

import dev.weft.WeftException;

/** A completion is not in the form that the model was trained to write. */
public final class CompletionFormatException extends WeftException {
    private static final long serialVersionUID = 1L;

    private final int position;

    CompletionFormatException(int position, String message) {
        super("completion: at character " + position + ": " + message);
        this.position = position;
    }

    /** Where in the completion, in UTF-16 units. */
    public int position() {
        return position;
    }
}
