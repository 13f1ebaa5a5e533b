package dev.weft;

/** An operand has the wrong element format; the message names the operator, the operands and the rule. */
public class DTypeException extends WeftException {
    private static final long serialVersionUID = 1L;

    public DTypeException(String message) {
        super(message);
    }

    public DTypeException(String message, Throwable cause) {
        super(message, cause);
    }
}
