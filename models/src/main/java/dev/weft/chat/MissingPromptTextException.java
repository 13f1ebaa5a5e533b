package dev.weft.chat;

import dev.weft.RequestException;

/** A conversation needs a constant text of the checkpoint that was not found. */
public final class MissingPromptTextException extends RequestException {
    private static final long serialVersionUID = 1L;

    private final PromptText text;

    MissingPromptTextException(String mode, PromptText text) {
        super("prompt: " + mode + " needs the text " + text + ", which was not found; expected it in the encoding "
                + "folder of the checkpoint or in a file of prompt texts");
        this.text = text;
    }

    /** The text that is missing. */
    public PromptText text() {
        return text;
    }
}
