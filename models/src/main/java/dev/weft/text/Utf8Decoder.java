package dev.weft.text;

/**
 * UTF-8 to text, byte by byte. Every maximal part that cannot be completed to a character becomes one U+FFFD, as the
 * Unicode standard recommends. ({@code new String(bytes, UTF_8)} agrees except for encoded surrogates, for which it
 * writes one U+FFFD instead of three.)
 */
final class Utf8Decoder {
    private static final char REPLACEMENT = '\uFFFD';

    private int codePoint;
    private int missing;
    private int lowest = 0x80;
    private int highest = 0xBF;

    /** Appends the characters that the bytes complete; the start of another one is kept. */
    void append(byte[] bytes, StringBuilder text) {
        for (byte value : bytes) {
            append(value & 0xFF, text);
        }
    }

    /** Ends the text: a character that was not completed becomes U+FFFD. */
    void finish(StringBuilder text) {
        if (missing > 0) {
            text.append(REPLACEMENT);
            start(0, 0);
        }
    }

    private void append(int value, StringBuilder text) {
        if (missing > 0) {
            if (value >= lowest && value <= highest) {
                start(codePoint << 6 | (value & 0x3F), missing - 1);
                if (missing == 0) {
                    text.appendCodePoint(codePoint);
                }
                return;
            }
            finish(text);
        }
        if (value < 0x80) {
            text.append((char) value);
        } else if (value >= 0xC2 && value <= 0xDF) {
            start(value & 0x1F, 1);
        } else if (value >= 0xE0 && value <= 0xEF) {
            start(value & 0x0F, 2);
            lowest = value == 0xE0 ? 0xA0 : 0x80;
            highest = value == 0xED ? 0x9F : 0xBF;
        } else if (value >= 0xF0 && value <= 0xF4) {
            start(value & 0x07, 3);
            lowest = value == 0xF0 ? 0x90 : 0x80;
            highest = value == 0xF4 ? 0x8F : 0xBF;
        } else {
            text.append(REPLACEMENT);
        }
    }

    private void start(int bits, int bytesMissing) {
        codePoint = bits;
        missing = bytesMissing;
        lowest = 0x80;
        highest = 0xBF;
    }
}
