package dev.weft.benchmarks.llama;

import java.util.Arrays;

/**
 * The smallest byte-level tokenizer with a given number of ids: one token per byte, one merge, the rest unused. Random
 * weights need no text, but the library refuses a model without a vocabulary.
 */
final class ByteVocabulary {
    private static final int NORMAL = 1;
    private static final int UNUSED = 5;

    private ByteVocabulary() {}

    static void describe(GgufWriter file, int size) {
        String[] tokens = new String[size];
        int[] types = new int[size];
        int beyondLatin = 0x100;
        for (int b = 0; b < 256; b++) {
            tokens[b] = Character.toString(isPrintable(b) ? b : beyondLatin++);
        }
        tokens[256] = tokens[' '] + tokens['t'];
        for (int i = 257; i < size; i++) {
            tokens[i] = "[unused" + i + "]";
        }
        Arrays.fill(types, 0, 257, NORMAL);
        Arrays.fill(types, 257, size, UNUSED);
        file.put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.pre", "deepseek-v3")
                .put("tokenizer.ggml.tokens", tokens)
                .put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.merges", new String[] {tokens[' '] + " " + tokens['t']})
                .put("tokenizer.ggml.bos_token_id", 0)
                .put("tokenizer.ggml.eos_token_id", 1)
                .put("tokenizer.ggml.add_bos_token", false);
    }

    /** Bytes that byte-level vocabularies write as the character of the same number. */
    private static boolean isPrintable(int b) {
        return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
    }
}
