package dev.weft.chat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Random conversations, made of fragments that are easily mistaken for the markup. Equal seeds give equal ones. */
final class Conversations {
    private static final List<String> FRAGMENTS = List.of(
            "word",
            " ",
            "\n",
            "\n\n",
            "<",
            "<｜",
            "<｜DS",
            "｜",
            "</thi",
            "</",
            ">",
            "\"",
            "\\",
            "name=\"f\">",
            "{}",
            "\u0001",
            "\t",
            "é",
            "你好",
            "🙂",
            "\" string=\"true\">",
            "<tool_result>",
            "null",
            "\u2028");
    private static final List<String> NAMES = List.of("part", "", "x y", "q\"", "\"", "é", "naïve", "a\nb", "{", "\\");

    private final SplittableRandom random;
    private final boolean withTools;

    Conversations(long seed, boolean withTools) {
        random = new SplittableRandom(seed);
        this.withTools = withTools;
    }

    SplittableRandom random() {
        return random;
    }

    List<Message> next() {
        List<Message> messages = new ArrayList<>();
        if (random.nextBoolean()) {
            Message system = Message.system(text());
            boolean tools = random.nextBoolean();
            messages.add(tools && withTools ? system.withTools(List.of(new Tool("{\"name\": \"f\"}"))) : system);
        }
        for (int turns = 1 + random.nextInt(3); turns > 0; turns--) {
            if (random.nextInt(8) == 0) {
                messages.add(Message.latestReminder(text()));
            }
            messages.add(random.nextInt(8) == 0 ? Message.developer("D" + text()) : Message.user(text()));
            addAnswer(messages);
        }
        return messages;
    }

    private void addAnswer(List<Message> messages) {
        List<ToolCall> calls = new ArrayList<>();
        for (int i = Math.max(0, random.nextInt(6) - 2); i > 0; i--) {
            calls.add(new ToolCall("c" + i, pick(NAMES), arguments()));
        }
        messages.add(Message.assistant(text()).withReasoning(text()).withToolCalls(calls));
        if (!calls.isEmpty()) {
            for (ToolCall call : calls) {
                messages.add(Message.tool(call.id(), text()));
            }
            addAnswer(messages);
        }
    }

    String text() {
        StringBuilder text = new StringBuilder();
        for (int n = random.nextInt(8); n > 0; n--) {
            text.append(pick(FRAGMENTS));
        }
        return text.toString();
    }

    private String pick(List<String> some) {
        return some.get(random.nextInt(some.size()));
    }

    private String arguments() {
        if (random.nextInt(10) == 0) {
            return "not JSON " + text();
        }
        StringBuilder json = new StringBuilder("{");
        for (int n = random.nextInt(4); n > 0; n--) {
            // a number makes names differ: of equal ones only the last would be written
            json.append(json.length() == 1 ? "" : ",")
                    .append(PythonJson.quote(pick(NAMES) + n))
                    .append(':')
                    .append(value(2));
        }
        return json.append('}').toString();
    }

    private String value(int depth) {
        return switch (random.nextInt(depth > 0 ? 7 : 5)) {
            case 0 -> Integer.toString(random.nextInt());
            case 1 -> Double.toString(Math.scalb(random.nextDouble(), random.nextInt(200) - 100));
            case 2 -> Boolean.toString(random.nextBoolean());
            case 3 -> "null";
            case 4 -> PythonJson.quote(text());
            case 5 -> "[" + value(depth - 1) + " , " + value(depth - 1) + "]";
            default -> "{ " + PythonJson.quote(pick(NAMES)) + " : " + value(depth - 1) + "}";
        };
    }
}
