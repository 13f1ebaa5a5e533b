package dev.weft.text;

/** UTF-16 that is not quite text: surrogates without their other half. */
final class Surrogates {
    private Surrogates() {}

    static boolean arePaired(String text) {
        return firstUnpaired(text, 0) == text.length();
    }

    /** The text with U+FFFD for every unpaired surrogate. */
    static String replaceUnpaired(String text) {
        int unpaired = firstUnpaired(text, 0);
        if (unpaired == text.length()) {
            return text;
        }
        StringBuilder replaced = new StringBuilder(text);
        while (unpaired < text.length()) {
            replaced.setCharAt(unpaired, '\uFFFD');
            unpaired = firstUnpaired(text, unpaired + 1);
        }
        return replaced.toString();
    }

    private static int firstUnpaired(String text, int start) {
        int position = start;
        while (position < text.length()) {
            int codePoint = text.codePointAt(position);
            if (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE) {
                return position;
            }
            position += Character.charCount(codePoint);
        }
        return position;
    }
}
