package dev.weft.benchmarks;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/**
 * A vocabulary of as many tokens as that of DeepSeek-V4 and of like kinds: bytes, numbers, words and parts of words with
 * and without a space before, Chinese, other scripts, punctuation as code and JSON have it, runs of blanks.
 */
final class SyntheticVocabulary {
    private static final int TEXT_TOKENS = 128_000;
    private static final int SIZE = 129_280;
    private static final String CONSONANTS = "bcdfghjklmnprstvwz";
    private static final String VOWELS = "aeiou";
    private static final String PUNCTUATION = "\"\"\"',,.::{}{}[][]()<>/\\-_=+*&^%$#@!?;|~ \n";
    private static final String CYRILLIC = "абвгдежзиклмнопрстуфхцчшыэюя";

    private final SplittableRandom random = new SplittableRandom(1);
    private final Set<String> texts = new LinkedHashSet<>();

    private SyntheticVocabulary() {}

    /** The bytes of all tokens. The last ones are special and have none; the last of all is the end of the sequence. */
    static byte[][] bytes() {
        return new SyntheticVocabulary().build();
    }

    private byte[][] build() {
        byte[][] bytes = new byte[SIZE][0];
        for (int value = 0; value < 256; value++) {
            bytes[value] = new byte[] {(byte) value};
        }
        for (int number = 10; number < 1000; number++) {
            texts.add(Integer.toString(number));
        }
        for (int length = 2; length <= 128; length++) {
            texts.add(" ".repeat(length));
        }
        fill(6_000, () -> characters(PUNCTUATION, 2 + random.nextInt(3)));
        fill(14_000, () -> characters(CYRILLIC, 2 + random.nextInt(5)));
        fill(50_000, this::chinese);
        fill(TEXT_TOKENS - 256, this::word);
        int id = 256;
        for (String text : texts) {
            bytes[id++] = text.getBytes(StandardCharsets.UTF_8);
        }
        return bytes;
    }

    private void fill(int until, Supplier<String> token) {
        while (texts.size() < until) {
            String text = token.get();
            if (text.length() > 1 || text.charAt(0) >= 0x80) {
                texts.add(text);
            }
        }
    }

    private String characters(String from, int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append(from.charAt(random.nextInt(from.length())));
        }
        return text.toString();
    }

    private String chinese() {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(3); i >= 0; i--) {
            text.append((char) (0x4E00 + random.nextInt(6000)));
        }
        return text.toString();
    }

    private String word() {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(4); i >= 0; i--) {
            text.append(characters(CONSONANTS, 1)).append(characters(VOWELS, 1));
            if (random.nextInt(3) == 0) {
                text.append(characters(CONSONANTS, 1));
            }
        }
        if (random.nextInt(4) == 0) {
            text.setCharAt(0, Character.toUpperCase(text.charAt(0)));
        }
        return random.nextBoolean() ? " " + text : text.toString();
    }
}
