package dev.weft.text;

/** Text that may be read only so many times; it ends a regex that backtracks without end. Not thread-safe. */
final class BoundedText implements CharSequence {
    private static final long READS_PER_CHARACTER = 2048;
    private static final long READS = 1 << 20;

    private final String text;
    private long readsLeft;

    BoundedText(String text) {
        this.text = text;
        readsLeft = READS + READS_PER_CHARACTER * text.length();
    }

    @Override
    public char charAt(int index) {
        if (--readsLeft < 0) {
            throw new ExhaustedException();
        }
        return text.charAt(index);
    }

    @Override
    public int length() {
        return text.length();
    }

    @Override
    public CharSequence subSequence(int start, int end) {
        return text.subSequence(start, end);
    }

    @Override
    public String toString() {
        return text;
    }

    /** All reads are used up. */
    static final class ExhaustedException extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }
}
