package dev.weft.cli;

import dev.weft.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.StringNode;

/** {@code weft tokenize}: texts to token ids or back, a line each. */
@Command(
        name = "tokenize",
        description = {
            "Turn texts into token ids: one JSON string per line in, one JSON array per line out.",
            "Special tokens may be spelled in the text. What cannot be answered gives {\"error\": \"...\"},",
            "and the next line is read."
        })
final class TokenizeCommand extends WeftCommand {
    @Parameters(paramLabel = "TOKENIZER", description = "A tokenizer.json, or a folder with one.")
    private Path tokenizer = Path.of("");

    @Option(names = "--decode", description = "The other way: arrays of ids in, strings out.")
    private boolean decode;

    TokenizeCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        Tokenizer loaded =
                Tokenizer.load(Files.isDirectory(tokenizer) ? tokenizer.resolve("tokenizer.json") : tokenizer);
        new LineFilter(terminal).run(line -> decode ? decoded(line, loaded) : encoded(line, loaded));
        return ExitCode.OK;
    }

    private static String encoded(String line, Tokenizer tokenizer) {
        JsonNode text = Json.line(line);
        if (!text.isString()) {
            throw LineFilter.wrong(shortened(text), "a JSON string");
        }
        return Arrays.toString(tokenizer.encodeWithSpecials(text.stringValue()));
    }

    private static String decoded(String line, Tokenizer tokenizer) {
        JsonNode array = Json.line(line);
        if (!array.isArray()) {
            throw LineFilter.wrong(shortened(array), "a JSON array of token ids");
        }
        int[] ids = new int[array.size()];
        for (int i = 0; i < ids.length; i++) {
            JsonNode id = array.get(i);
            if (!id.isIntegralNumber() || !id.canConvertToInt()) {
                throw LineFilter.wrong(shortened(id) + " as element " + i, "a token id");
            }
            ids[i] = id.intValue();
        }
        return StringNode.valueOf(tokenizer.decode(ids)).toString();
    }

    private static String shortened(JsonNode value) {
        String text = value.toString();
        return text.length() <= 60 ? text : text.substring(0, 60) + "...";
    }
}
