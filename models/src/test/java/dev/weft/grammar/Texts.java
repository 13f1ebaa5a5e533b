package dev.weft.grammar;

import dev.weft.model.Sampling;
import dev.weft.model.TokenConstraint;
import dev.weft.model.TokenMask;
import dev.weft.model.TokenSampler;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Texts that random logits give under a constraint, and ways to read them. */
final class Texts {
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .build();

    private Texts() {}

    static TokenVocabulary vocabulary(byte[][] tokens) {
        return TokenVocabulary.of(tokens, tokens.length - 1);
    }

    /** A text of at most {@code budget} tokens, the end included. */
    static String generate(TokenConstraint constraint, byte[][] tokens, Sampling sampling, int budget) {
        return utf8(bytes(constraint, tokens, sampling, budget));
    }

    /** The same where the beginning is free and need not be UTF-8. */
    static String lossy(TokenConstraint constraint, byte[][] tokens, Sampling sampling, int budget) {
        return new String(bytes(constraint, tokens, sampling, budget), StandardCharsets.UTF_8);
    }

    private static byte[] bytes(TokenConstraint constraint, byte[][] tokens, Sampling sampling, int budget) {
        SplittableRandom random = new SplittableRandom(sampling.seed());
        TokenSampler sampler = new TokenSampler(sampling);
        TokenMask mask = new TokenMask(tokens.length);
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        int left = budget;
        while (!constraint.isFinished()) {
            constraint.allowed(mask, left--);
            int token = sampler.next(logits(random, tokens.length), 0, tokens.length, mask);
            constraint.accept(token);
            text.writeBytes(tokens[token]);
        }
        return text.toByteArray();
    }

    private static float[] logits(SplittableRandom random, int size) {
        float[] logits = new float[size];
        for (int i = 0; i < size; i++) {
            logits[i] = (float) (4 * random.nextDouble());
        }
        return logits;
    }

    static String utf8(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new AssertionError("not UTF-8", e);
        }
    }

    static JsonNode json(String text) {
        return MAPPER.readTree(text);
    }

    /** A grammar over bytes, every id being its byte and 256 the end. */
    static CompiledGrammar overBytes(Grammar grammar) {
        byte[][] tokens = Vocabularies.bytes().toArray(new byte[257][]);
        tokens[256] = new byte[0];
        return grammar.compile(vocabulary(tokens));
    }

    /** Whether a text, byte by byte, and then its end are allowed. */
    static boolean accepts(CompiledGrammar overBytes, String text) {
        return accepts(overBytes, text.getBytes(StandardCharsets.UTF_8));
    }

    static boolean accepts(CompiledGrammar overBytes, byte[] text) {
        TokenConstraint constraint = overBytes.newConstraint();
        TokenMask mask = new TokenMask(257);
        for (byte b : text) {
            constraint.allowed(mask, TokenConstraint.UNLIMITED);
            if (!mask.isAllowed(b & 0xFF)) {
                return false;
            }
            constraint.accept(b & 0xFF);
        }
        constraint.allowed(mask, TokenConstraint.UNLIMITED);
        return mask.isAllowed(256);
    }
}
