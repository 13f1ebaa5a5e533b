package dev.weft.text;

import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;

/** Random text of all kinds: prose, code, Chinese and Japanese, emoji, accents, blanks, broken UTF-8, any code point. */
final class MixedText {
    private static final String[] SYLLABLES = {
        "a", "be", "con", "der", "e", "for", "gra", "hen", "in", "ka", "li", "mo", "nu", "or", "per", "qui", "re",
        "sta", "tion", "un", "ver", "we", "xy", "zo", "th", "ing", "ed", "ly"
    };
    private static final String[] CODE = {
        "if (",
        ") {\n",
        "    return ",
        ";\n",
        "}\n\n",
        "for (int i = 0; i < ",
        "x->y",
        "::",
        "&&",
        "// ",
        "\"",
        "\\n",
        "0x1F",
        "[i]",
        "def f(self):\n\t",
        "#include <",
        ">\n",
        "!=",
        "+=",
        "=>",
        "/*",
        "*/",
        "<div class='"
    };
    private static final String[] EMOJI = {"😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "❤️", "👍🏽", "🇩🇪", "✂", "⌚️", "1️⃣"};
    private static final String[] BLANKS = {
        " ", "  ", "\n", "\r\n", "\t", " \n ", "\n\n\n", "\u00a0", "\u3000", "\u2003"
    };

    private final SplittableRandom random;

    MixedText(long seed) {
        this.random = new SplittableRandom(seed);
    }

    /** About {@code chars} characters. */
    String next(int chars) {
        StringBuilder out = new StringBuilder();
        while (out.length() < chars) {
            int kind = random.nextInt(10);
            for (int i = 1 + random.nextInt(30); i > 0; i--) {
                piece(kind, out);
            }
            out.append(pick(BLANKS));
        }
        return out.toString();
    }

    private void piece(int kind, StringBuilder out) {
        switch (kind) {
            case 0, 1, 2 -> word(out).append(random.nextInt(9) == 0 ? ", " : " ");
            case 3 -> (random.nextBoolean() ? out : word(out)).append(pick(CODE));
            case 4 -> out.appendCodePoint(0x4E00 + random.nextInt(random.nextInt(4) == 0 ? 0x51FF : 400));
            case 5 -> out.appendCodePoint(0x3041 + random.nextInt(0xBF));
            case 6 -> out.append(pick(EMOJI)).append(random.nextBoolean() ? "" : pick(BLANKS));
            case 7 -> out.append(random.nextInt(1, 1_000_000)).append(random.nextBoolean() ? "." : " ");
            case 8 -> word(out).append((char) (0x300 + random.nextInt(0x70))).append(pick(BLANKS));
            default -> anything(out);
        }
    }

    private StringBuilder word(StringBuilder out) {
        int start = out.length();
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            out.append(pick(SYLLABLES));
        }
        if (random.nextInt(6) == 0) {
            out.setCharAt(start, Character.toUpperCase(out.charAt(start)));
        }
        return out;
    }

    /** Any code point but surrogates, or what is left of random bytes read as UTF-8. */
    private void anything(StringBuilder out) {
        if (random.nextBoolean()) {
            int point = random.nextInt(random.nextBoolean() ? 0x3000 : 0x110000);
            out.appendCodePoint(point >= 0xD800 && point < 0xE000 ? 0xFFFD : point);
        } else {
            byte[] bytes = new byte[1 + random.nextInt(6)];
            random.nextBytes(bytes);
            out.append(new String(bytes, StandardCharsets.UTF_8));
        }
    }

    private String pick(String[] from) {
        return from[random.nextInt(from.length)];
    }
}
