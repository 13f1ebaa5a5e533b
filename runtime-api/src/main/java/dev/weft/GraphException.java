package dev.weft;

/** A graph is put together or bound wrongly: unknown name, dimension out of bounds, state used after its update. */
public class GraphException extends WeftException {
    private static final long serialVersionUID = 1L;

    public GraphException(String message) {
        super(message);
    }

    public GraphException(String message, Throwable cause) {
        super(message, cause);
    }
}
