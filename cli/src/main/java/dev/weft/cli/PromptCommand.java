package dev.weft.cli;

import dev.weft.chat.ChatJson;
import dev.weft.chat.ChatRequest;
import dev.weft.chat.CompletionParser;
import dev.weft.chat.PromptEncoder;
import dev.weft.chat.PromptTexts;
import dev.weft.chat.ThinkingMode;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

/** {@code weft prompt}: conversations to prompts, completions to messages, a line each. */
@Command(
        name = "prompt",
        description = {
            "Write prompts and read completions: one JSON value per line in, one per line out.",
            "{\"messages\": [...], \"options\": {\"thinking_mode\": \"chat\"}} gives {\"prompt\": \"...\"};",
            "{\"thinking_mode\": \"chat\", \"text\": \"...\"} gives {\"parsed\": {...}};",
            "what cannot be answered gives {\"error\": \"...\"}, and the next line is read."
        })
final class PromptCommand extends WeftCommand {
    @Option(
            names = "--texts",
            paramLabel = "FILE",
            description = "Constant texts of the format: the encoding folder of a checkpoint or a JSON file. Without,"
                    + " prompts that need one are refused.")
    private @Nullable Path texts;

    PromptCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        PromptEncoder encoder = new PromptEncoder(texts == null ? PromptTexts.none() : PromptTexts.load(texts));
        new LineFilter(terminal).run(line -> answer(line, encoder));
        return ExitCode.OK;
    }

    private static String answer(String line, PromptEncoder encoder) {
        JsonNode value = Json.line(line);
        if (value.has("messages")) {
            ChatRequest request = ChatJson.readRequest(line);
            String prompt =
                    encoder.encode(request.messages(), request.options()).text();
            return Json.object().put("prompt", prompt).toString();
        }
        if (!value.path("thinking_mode").isString() || !value.path("text").isString()) {
            throw LineFilter.wrong(
                    value.isObject() ? "an object with " + value.propertyNames() : "no object",
                    "an object with messages and options, or with thinking_mode and text");
        }
        ThinkingMode mode = ThinkingMode.of(value.get("thinking_mode").stringValue());
        return "{\"parsed\": "
                + ChatJson.write(CompletionParser.parse(value.get("text").stringValue(), mode)) + "}";
    }
}
