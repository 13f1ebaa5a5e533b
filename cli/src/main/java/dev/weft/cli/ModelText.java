package dev.weft.cli;

import dev.weft.CheckpointException;
import dev.weft.chat.Message;
import dev.weft.chat.Prompt;
import dev.weft.chat.PromptEncoder;
import dev.weft.chat.PromptOptions;
import dev.weft.chat.PromptTexts;
import dev.weft.grammar.TokenVocabulary;
import dev.weft.text.StreamingDecoder;
import dev.weft.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Texts of a model: prompts to tokens, tokens to text. The frame of a prompt is made of special tokens looked up by their
 * strings (specification 8.2); what the user typed is ordinary text, whatever it spells.
 */
final class ModelText {
    private static final String BEGIN = "<｜begin▁of▁sentence｜>";
    private static final String END_THINK = "</think>";

    private final Path file;
    private final Tokenizer tokenizer;

    private ModelText(Path file) {
        this.file = file;
        this.tokenizer = Tokenizer.load(file);
    }

    /** Whether the folder of a model has a tokenizer. */
    static boolean isIn(Path modelDirectory) {
        return Files.isRegularFile(file(modelDirectory));
    }

    /** @throws CheckpointException if the folder of the model has no usable tokenizer */
    static ModelText of(Path modelDirectory) {
        return new ModelText(file(modelDirectory));
    }

    private static Path file(Path modelDirectory) {
        return modelDirectory.resolve("tokenizer.json");
    }

    /** Begin of sentence and a text to continue. */
    int[] plain(String text) {
        return join(special(BEGIN), encode(text));
    }

    /** A user's message, up to where the answer begins. */
    int[] chat(String message) {
        return ids(
                new PromptEncoder(PromptTexts.none()).encode(List.of(Message.user(message)), PromptOptions.nonThink()));
    }

    /** An encoded conversation. */
    int[] ids(Prompt prompt) {
        return prompt.ids(tokenizer);
    }

    int[] encode(String text) {
        return tokenizer.encode(text);
    }

    /** The tokens as bytes, for constraints. @param size number of logits @param end id of the end of the sequence */
    TokenVocabulary vocabulary(int size, int end) {
        return TokenVocabulary.of(tokenizer, size, end);
    }

    /** The token that ends reasoning. */
    int endOfThinking() {
        return special(END_THINK)[0];
    }

    /** Text of tokens that arrive one by one. */
    StreamingDecoder decoder() {
        return tokenizer.decoder();
    }

    private int[] special(String token) {
        return new int[] {
            tokenizer.idOf(token).orElseThrow(() -> new CheckpointException(file + ": has no token '" + token + "'"))
        };
    }

    private static int[] join(int[]... parts) {
        return IntStream.range(0, parts.length)
                .flatMap(i -> IntStream.of(parts[i]))
                .toArray();
    }
}
