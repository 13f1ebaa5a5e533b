package dev.weft.chat;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** What the encoder writes for an answer is read back as that answer, by both parsers, however it is cut. */
class RoundTripTest {
    private static final int CONVERSATIONS = 20_000;
    private static final String EOS = SpecialTokens.END_OF_SENTENCE;

    @Test
    void answersInConversationsAreReadBack() {
        Optional<PromptTexts> texts = ChatCases.textsIfHere();
        PromptEncoder encoder = new PromptEncoder(texts.orElse(PromptTexts.none()));
        Conversations conversations = new Conversations(5, texts.isPresent());
        int answers = 0;
        int calls = 0;
        for (int i = 0; i < CONVERSATIONS; i++) {
            List<Message> messages = conversations.next();
            ThinkingMode mode = i % 2 == 0 ? ThinkingMode.CHAT : ThinkingMode.THINKING;
            PromptOptions options = PromptOptions.nonThink().withMode(mode).withDropThinking(false);
            String whole = encoder.encode(messages, options).text();
            for (int m = 0; m < messages.size(); m++) {
                Message answer = messages.get(m);
                if (answer.role() == Role.ASSISTANT) {
                    String prompt =
                            encoder.encode(messages.subList(0, m), options).text();
                    assertThat(whole).startsWith(prompt);
                    int end = whole.indexOf(EOS, prompt.length()) + EOS.length();
                    check(answer, whole.substring(prompt.length(), end), mode, conversations);
                    answers++;
                    calls += answer.toolCalls().size();
                }
            }
        }
        assertThat(answers).isGreaterThan(2 * CONVERSATIONS);
        assertThat(calls).isGreaterThan(2 * CONVERSATIONS);
    }

    private static void check(Message answer, String completion, ThinkingMode mode, Conversations conversations) {
        Message parsed = CompletionParser.parse(completion, mode);
        assertThat(comparable(parsed)).isEqualTo(comparable(shown(answer, mode)));
        MessageCollector collector = new MessageCollector();
        StreamingCompletionParser parser = new StreamingCompletionParser(mode, collector);
        StreamingCompletionParserTest.cut(completion, conversations.random()).forEach(parser::accept);
        parser.finish();
        assertThat(collector.message()).isEqualTo(parsed);
        assertThat(collector.isComplete()).isTrue();
    }

    /** What of a message is written: no ids of calls, and reasoning only in thinking mode. */
    private static Message shown(Message message, ThinkingMode mode) {
        List<ToolCall> calls = message.toolCalls().stream()
                .map(c -> new ToolCall("", c.name(), c.arguments()))
                .toList();
        return message.withReasoning(mode == ThinkingMode.THINKING ? message.reasoning() : "")
                .withToolCalls(calls);
    }

    /** With arguments as values; their spelling may change. */
    private static List<Object> comparable(Message message) {
        List<Object> parts = new ArrayList<>(List.of(message.content(), message.reasoning()));
        for (ToolCall call : message.toolCalls()) {
            parts.add(call.name());
            JsonNode arguments = PythonJson.tryParse(call.arguments(), "arguments")
                    .orElseGet(() -> PythonJson.object("arguments", call.arguments()));
            parts.add(arguments);
        }
        return parts;
    }
}
