package dev.weft.text;

import dev.weft.CheckpointException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** Reads the {@code pre_tokenizer} section: regex splits, then the byte alphabet. */
final class PreTokenizerSection {
    private static final int MOST_STEPS = 32;
    private static final int LONGEST_PATTERN = 8192;

    /** What the byte-level step splits by if it is told to use its own regex. */
    private static final String GPT2 =
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

    private PreTokenizerSection() {}

    static PreTokenizer read(JsonField section) {
        JsonField members = section.object().child("pretokenizers");
        if (!section.child("type").string().equals("Sequence")) {
            return new PreTokenizer(byteLevel(section));
        }
        int size = members.array().node().size();
        if (size < 1 || size > MOST_STEPS) {
            throw members.wrong(size + " steps", "1 to " + MOST_STEPS);
        }
        List<PreTokenizer.Step> steps = new ArrayList<>();
        for (int i = 0; i < size - 1; i++) {
            steps.add(split(members.element(i)));
        }
        steps.addAll(byteLevel(members.element(size - 1)));
        return new PreTokenizer(steps);
    }

    private static PreTokenizer.Step split(JsonField step) {
        expect(step.object().child("type"), "Split");
        expect(step.child("behavior"), "Isolated");
        if (step.child("invert").flagOr(false)) {
            throw step.child("invert").wrong("false");
        }
        JsonField pattern = step.child("pattern").object();
        JsonField literal = pattern.child("String");
        JsonField source = literal.isAbsent() ? pattern.child("Regex") : literal;
        if (source.string().isEmpty() || source.string().length() > LONGEST_PATTERN) {
            throw source.wrong("1 to " + LONGEST_PATTERN + " characters");
        }
        return literal.isAbsent()
                ? step(source, source.string())
                : new PreTokenizer.Step(source.subject(), Pattern.compile(source.string(), Pattern.LITERAL));
    }

    private static List<PreTokenizer.Step> byteLevel(JsonField step) {
        expect(step.object().child("type"), "ByteLevel");
        if (step.child("add_prefix_space").flag()) {
            throw step.child("add_prefix_space").wrong("false");
        }
        return step.child("use_regex").flagOr(true) ? List.of(step(step, GPT2)) : List.of();
    }

    private static PreTokenizer.Step step(JsonField source, String regex) {
        try {
            return new PreTokenizer.Step(source.subject(), OnigurumaRegex.compile(regex));
        } catch (PatternSyntaxException e) {
            throw refused(source, regex, e.getDescription());
        } catch (IllegalArgumentException e) {
            throw refused(source, regex, String.valueOf(e.getMessage()));
        } catch (StackOverflowError e) {
            throw refused(source, regex, "nested too deep");
        }
    }

    private static CheckpointException refused(JsonField source, String regex, String reason) {
        return source.wrong(JsonField.quote(regex) + " (" + reason + ")", "a regex that Java can run");
    }

    private static void expect(JsonField field, String value) {
        if (!field.string().equals(value)) {
            throw field.wrong(JsonField.quote(value));
        }
    }
}
