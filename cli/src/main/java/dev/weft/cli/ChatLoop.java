package dev.weft.cli;

import dev.weft.CommunicatorException;
import dev.weft.WeftException;
import dev.weft.chat.ChatJson;
import dev.weft.chat.Message;
import dev.weft.model.Sampling;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads lines and does what they say until one says to quit, the input ends or the process is told to stop. */
final class ChatLoop {
    private static final String HELP = """
            /mode non-think|high|max   how the next answers are made
            /system [TEXT]             instructions for the whole conversation; none without text
            /result TEXT               the result of a tool call
            /reset                     forget what was said
            /save FILE                 write the conversation as JSON, as weft prompt reads it
            /quit                      end; so does the end of the input
            //...                      a message that begins with a slash
            """;

    private final Terminal terminal;
    private final Chat chat;
    private final Sampling sampling;
    private final boolean stats;
    private final Interruption interruption;
    private final BufferedReader in;
    private int answers;
    private boolean failed;

    ChatLoop(Terminal terminal, Chat chat, Sampling sampling, boolean stats, Interruption interruption) {
        this.terminal = terminal;
        this.chat = chat;
        this.sampling = sampling;
        this.stats = stats;
        this.interruption = interruption;
        this.in = new BufferedReader(new InputStreamReader(terminal.in(), StandardCharsets.UTF_8));
    }

    /** Runs to the end. @return failed if a line could not be answered and nobody was there to correct it */
    int run() throws IOException {
        while (!interruption.isStopping() && !terminal.out().checkError()) {
            String line = readMessage();
            if (line == null) {
                if (terminal.interactive()) {
                    terminal.note("%n");
                }
                break;
            }
            if (line.strip().equals("/quit")) {
                break;
            }
            try {
                obey(line);
            } catch (CommunicatorException e) {
                throw e; // the other ranks are gone
            } catch (WeftException | IOException | InvalidPathException e) {
                failed = true;
                terminal.note("weft: %s%n", Errors.message(e));
            }
        }
        return failed && !terminal.interactive() ? ExitCode.FAILED : ExitCode.OK;
    }

    /** The next line, with those that it says go on; null at the end. */
    private @Nullable String readMessage() throws IOException {
        StringBuilder message = new StringBuilder();
        String prompt = "> ";
        while (true) {
            if (terminal.interactive()) {
                terminal.note("%s", prompt);
            }
            String line = in.readLine();
            if (line == null) {
                return message.isEmpty() ? null : message.toString();
            }
            if (!line.endsWith("\\")) {
                return message.append(line).toString();
            }
            message.append(line, 0, line.length() - 1).append('\n');
            prompt = ". ";
        }
    }

    private void obey(String line) throws IOException {
        if (line.startsWith("//")) {
            say(line.substring(1));
        } else if (line.startsWith("/")) {
            int space = line.indexOf(' ');
            String command = (space < 0 ? line : line.substring(0, space)).strip();
            command(command, space < 0 ? "" : line.substring(space + 1).strip());
        } else if (!line.isBlank()) {
            say(line);
        }
    }

    private void command(String command, String argument) throws IOException {
        switch (command) {
            case "/help" -> terminal.note("%s", HELP);
            case "/mode" ->
                chat.use(ChatOptions.mode(
                        argument.equals("high") || argument.equals("max") ? "think-" + argument : argument));
            case "/system" -> chat.instruct(argument);
            case "/reset" -> chat.reset();
            case "/save" -> save(argument);
            case "/result" -> result(argument);
            default ->
                throw new UsageException("no command '" + command + "', expected one of those of /help, or // for"
                        + " a message that begins with a slash");
        }
    }

    private void save(String file) throws IOException {
        if (file.isEmpty()) {
            throw new UsageException("/save: found no file, expected /save FILE");
        }
        Files.writeString(Path.of(file), ChatJson.write(chat.request()) + "\n");
        terminal.note("saved to %s%n", file);
    }

    private void result(String result) {
        if (chat.openCalls() == 0) {
            throw new UsageException("/result: found no tool call that waits for one");
        }
        chat.result(result);
        if (chat.openCalls() == 0) {
            answer(List.of());
        }
    }

    private void say(String message) {
        answer(List.of(Message.user(message)));
    }

    private void answer(List<Message> question) {
        Sampling next = sampling.seed(sampling.seed() + answers++);
        AnswerStats taken;
        interruption.setBusy(true);
        try {
            taken = chat.answer(
                    question,
                    next,
                    new ChatScreen(terminal),
                    () -> interruption.isStopping() || terminal.out().checkError());
        } finally {
            interruption.setBusy(interruption.isStopping());
        }
        if (stats) {
            taken.print(terminal);
        }
    }
}
