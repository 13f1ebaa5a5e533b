package dev.weft;

/** An operand has the wrong shape; the message names the operator, the operands and the rule. */
public class ShapeException extends WeftException {
    private static final long serialVersionUID = 1L;

    public ShapeException(String message) {
        super(message);
    }

    public ShapeException(String message, Throwable cause) {
        super(message, cause);
    }
}
