package dev.weft.chat;

import java.util.regex.Pattern;

/** Spellings of the tokens that frame messages (specification 8.2). Ids are the tokenizer's to know. */
final class SpecialTokens {
    static final String BEGIN_OF_SENTENCE = "<｜begin▁of▁sentence｜>";
    static final String END_OF_SENTENCE = "<｜end▁of▁sentence｜>";
    static final String USER = "<｜User｜>";
    static final String ASSISTANT = "<｜Assistant｜>";
    static final String LATEST_REMINDER = "<｜latest_reminder｜>";
    static final String THINK = "<think>";
    static final String END_THINK = "</think>";
    static final String DSML = "｜DSML｜";
    static final String FIM_BEGIN = "<｜fim▁begin｜>";
    static final String FIM_HOLE = "<｜fim▁hole｜>";
    static final String FIM_END = "<｜fim▁end｜>";

    /** Those that occur inside longer constant texts. */
    static final Pattern IN_CONSTANT_TEXT = Pattern.compile(DSML + "|" + THINK + "|" + END_THINK);

    private SpecialTokens() {}
}
