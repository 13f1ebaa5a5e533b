package dev.weft.grammar;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/** Vocabularies of bytes, pieces of JSON and random text, the end of the sequence being the last id. */
final class Vocabularies {
    private static final String[] PIECES = (""
                    + "\",§\":§\": §\": \"§\", \"§{\"§{ \"§\"}§\"},§\"}]§}}§}]§]]§[[§[[[§[{\"§},{§[]§{}§, §: §\n§\n  §"
                    + "\n    §\n        §  §true§false§null§tr§ue§ull§\\n§\\\"§\\u§\\ud8§\\u00§00§123§12§1.§.5§e+§E-1§"
                    + "-1§0.§name§value§kind§id§é§ü§日本§日§😀§Ж§ the§ing§ab§abc§\"a§\"name\"§children§\"children\":§red§"
                    + "green§\"re§A§B§\u00a0§\\/§/§-01§T§:")
            .split("§", -1);

    private Vocabularies() {}

    /** A few hundred tokens, among them pieces of characters. */
    static byte[][] small(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        Set<String> texts = new LinkedHashSet<>(List.of(PIECES));
        while (texts.size() < PIECES.length + 120) {
            texts.add(PIECES[random.nextInt(PIECES.length)] + PIECES[random.nextInt(PIECES.length)]);
        }
        List<byte[]> tokens = bytes();
        for (String text : texts) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            if (utf8.length > 1) {
                tokens.add(utf8);
            }
            if (utf8.length > 3 && random.nextInt(3) == 0) {
                int from = random.nextInt(utf8.length - 2);
                tokens.add(java.util.Arrays.copyOfRange(utf8, from, from + 2)); // may cut a character
            }
        }
        tokens.add(new byte[0]);
        return tokens.toArray(byte[][]::new);
    }

    /** Every byte. */
    static List<byte[]> bytes() {
        List<byte[]> tokens = new ArrayList<>();
        for (int i = 0; i < 256; i++) {
            tokens.add(new byte[] {(byte) i});
        }
        return tokens;
    }
}
