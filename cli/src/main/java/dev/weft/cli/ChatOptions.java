package dev.weft.cli;

import dev.weft.chat.ChatJson;
import dev.weft.chat.Message;
import dev.weft.chat.Prompt;
import dev.weft.chat.PromptEncoder;
import dev.weft.chat.PromptOptions;
import dev.weft.chat.PromptText;
import dev.weft.chat.PromptTexts;
import dev.weft.chat.ThinkingMode;
import dev.weft.chat.Tool;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How a text becomes the user's message of a conversation. */
final class ChatOptions {
    static final String DEFAULT_MODE = "non-think";
    private static final Map<String, PromptOptions> MODES = new TreeMap<>(Map.of(
            DEFAULT_MODE,
            PromptOptions.nonThink(),
            "think-high",
            PromptOptions.thinkHigh(),
            "think-max",
            PromptOptions.thinkMax()));

    @Option(names = "--chat", description = "Wrap the text as a user's message and generate the answer.")
    private boolean chat;

    @Option(names = "--system", paramLabel = "TEXT", description = "Instructions before the message, with --chat.")
    private @Nullable String system;

    @Option(
            names = "--mode",
            paramLabel = "MODE",
            description = "non-think, think-high or think-max, with --chat. Default: " + DEFAULT_MODE + ".")
    private @Nullable String mode;

    @Option(
            names = "--tools",
            paramLabel = "FILE",
            description = "JSON array of tools the model may call, in the form of the chat APIs; with --chat.")
    private @Nullable Path tools;

    @Option(
            names = "--texts",
            paramLabel = "FILE",
            description = "Constant texts of prompts, with --chat. Default: the encoding folder of the model.")
    private @Nullable Path texts;

    /** Whether the text is a message. @throws UsageException if an option makes sense only then */
    boolean isOn() {
        if (!chat && (system != null || mode != null || tools != null || texts != null)) {
            throw new UsageException("--system, --mode, --tools, --texts: found without --chat, which they belong to");
        }
        return chat;
    }

    /**
     * The prompt up to where the answer to {@code message} begins.
     *
     * @param schema of the answer, stated to the model if its texts say how; null if there is none
     */
    Prompt prompt(String message, @Nullable String schema, Path modelDirectory, Terminal terminal) throws IOException {
        PromptTexts known = texts(modelDirectory, texts);
        boolean stated =
                schema != null && known.find(PromptText.RESPONSE_FORMAT_PREFIX).isPresent();
        if (schema != null && !stated) {
            terminal.note(
                    "weft: the prompt does not state the schema: the model's texts lack %s%n",
                    PromptText.RESPONSE_FORMAT_PREFIX.key());
        }
        List<Message> messages = new ArrayList<>();
        if (system != null || tools != null || stated) {
            messages.add(Message.system(system == null ? "" : system)
                    .withTools(readTools(tools))
                    .withResponseFormat(stated ? schema : null));
        }
        messages.add(Message.user(message));
        return new PromptEncoder(known).encode(messages, options());
    }

    /** Whether the answer begins with reasoning. */
    boolean thinks() {
        return chat && options().mode() == ThinkingMode.THINKING;
    }

    private PromptOptions options() {
        return mode(mode == null ? DEFAULT_MODE : mode);
    }

    /** A mode by its name. @throws UsageException if it has none */
    static PromptOptions mode(String name) {
        PromptOptions options = MODES.get(name);
        if (options == null) {
            throw new UsageException("--mode: found '" + name + "', expected one of " + MODES.keySet());
        }
        return options;
    }

    /** The tools of a file, none without one. */
    static List<Tool> readTools(@Nullable Path tools) throws IOException {
        return tools == null ? List.of() : ChatJson.readTools(Files.readString(tools));
    }

    /** The constant texts of a file, else of the model. */
    static PromptTexts texts(Path modelDirectory, @Nullable Path texts) {
        if (texts != null) {
            return PromptTexts.load(texts);
        }
        return PromptTexts.isIn(modelDirectory) ? PromptTexts.load(modelDirectory) : PromptTexts.none();
    }
}
