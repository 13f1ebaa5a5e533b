/** A line of PTX that cannot be translated. */
final class PtxException extends RuntimeException {
    private static final long serialVersionUID = 1;

    PtxException(int line, String what) {
        super("line " + line + ": " + what);
    }
}
