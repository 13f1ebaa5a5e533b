package dev.weft.text;

import java.util.Arrays;

/**
 * The GPT-2 byte alphabet: one printable character for every byte, so that tokens of arbitrary bytes can be written as
 * JSON strings. Printable Latin-1 bytes stand for themselves, the other 68 follow in order from U+0100.
 */
final class ByteAlphabet {
    private static final int FIRST_SUBSTITUTE = 0x100;
    private static final char[] SYMBOLS = new char[256];
    private static final short[] BYTES;

    static {
        char substitute = FIRST_SUBSTITUTE;
        for (int value = 0; value < SYMBOLS.length; value++) {
            SYMBOLS[value] = standsForItself(value) ? (char) value : substitute++;
        }
        BYTES = new short[substitute];
        Arrays.fill(BYTES, (short) -1);
        for (int value = 0; value < SYMBOLS.length; value++) {
            BYTES[SYMBOLS[value]] = (short) value;
        }
    }

    private ByteAlphabet() {}

    private static boolean standsForItself(int value) {
        return (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xAC) || value >= 0xAE;
    }

    /** The symbol of a byte given as 0..255. */
    static String symbol(int value) {
        return String.valueOf(SYMBOLS[value]);
    }

    /** Whether every character of the token is a byte symbol. */
    static boolean covers(String token) {
        for (int i = 0; i < token.length(); i++) {
            char symbol = token.charAt(i);
            if (symbol >= BYTES.length || BYTES[symbol] < 0) {
                return false;
            }
        }
        return true;
    }

    /** The bytes of a token for which {@link #covers} holds. */
    static byte[] bytes(String token) {
        byte[] bytes = new byte[token.length()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) BYTES[token.charAt(i)];
        }
        return bytes;
    }
}
