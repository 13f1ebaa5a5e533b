package dev.weft.chat;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * The turns of a conversation in the order and with the parts that the prompt shows (specification 8.5, steps 1 to 3).
 *
 * @param turns what is written
 * @param keepsThinking whether reasoning of all turns is written
 */
record Conversation(List<Turn> turns, boolean keepsThinking) {
    static Conversation of(List<Message> messages, PromptOptions options) {
        List<Turn> turns = merged(messages);
        sortToolResults(turns);
        boolean hasTools = turns.stream().anyMatch(t -> !t.message().tools().isEmpty());
        boolean keeps = hasTools || !options.dropThinking();
        if (options.thinks() && !keeps) {
            dropDevelopers(turns);
        }
        return new Conversation(turns, keeps);
    }

    /** Index of the last turn that asks for an answer, -1 if none. */
    int lastQuestion() {
        return lastQuestion(turns);
    }

    private static int lastQuestion(List<Turn> turns) {
        int last = turns.size() - 1;
        while (last >= 0 && !turns.get(last).role().asks()) {
            last--;
        }
        return last;
    }

    /** Step 1: results of tools and consecutive messages of the user become one turn of the user. */
    private static List<Turn> merged(List<Message> messages) {
        List<Turn> turns = new ArrayList<>();
        for (Message message : messages) {
            Turn last = turns.isEmpty() ? null : turns.getLast();
            boolean afterUser = last != null && last.role() == Role.USER;
            switch (message.role()) {
                case TOOL -> {
                    Turn turn = afterUser ? last : append(turns, new Turn(Role.USER, Message.user(""), blocks()));
                    turn.blocks().add(new Turn.Block(true, message.toolCallId(), message.content()));
                }
                case USER -> {
                    boolean joins = afterUser && last.message().task() == null;
                    // a user's message keeps its task only: tools it may carry are not shown
                    Message own = Message.user(message.content()).withTask(message.task());
                    Turn turn = joins ? last : append(turns, new Turn(Role.USER, own, blocks()));
                    turn.blocks().add(new Turn.Block(false, "", message.content()));
                }
                default -> append(turns, new Turn(message.role(), message, List.of()));
            }
        }
        return turns;
    }

    private static List<Turn.Block> blocks() {
        return new ArrayList<>();
    }

    private static Turn append(List<Turn> turns, Turn turn) {
        turns.add(turn);
        return turn;
    }

    /** Step 2: results in the order of the calls; text keeps its places, results of unknown calls count as first. */
    private static void sortToolResults(List<Turn> turns) {
        Map<String, Integer> order = Map.of();
        for (Turn turn : turns) {
            if (turn.role() == Role.ASSISTANT && !turn.message().toolCalls().isEmpty()) {
                order = orderOf(turn.message().toolCalls());
            } else if (turn.role() == Role.USER) {
                Map<String, Integer> known = order;
                Iterator<Turn.Block> sorted = turn.blocks().stream()
                        .filter(Turn.Block::isToolResult)
                        .sorted(Comparator.comparingInt(b -> known.getOrDefault(b.toolCallId(), 0)))
                        .iterator();
                turn.blocks().replaceAll(b -> b.isToolResult() ? sorted.next() : b);
            }
        }
    }

    private static Map<String, Integer> orderOf(List<ToolCall> calls) {
        Map<String, Integer> order = new HashMap<>();
        for (int i = 0; i < calls.size(); i++) {
            if (!calls.get(i).id().isEmpty()) {
                order.put(calls.get(i).id(), i);
            }
        }
        return order;
    }

    /** Step 3: developer messages before the last question go; its other half, earlier reasoning, is not written. */
    private static void dropDevelopers(List<Turn> turns) {
        int last = Math.max(0, lastQuestion(turns));
        turns.subList(0, last).removeIf(t -> t.role() == Role.DEVELOPER);
    }
}
