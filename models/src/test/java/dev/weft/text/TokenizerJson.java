package dev.weft.text;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A small tokenizer file with the layout of the published ones, for tests to change and write. */
final class TokenizerJson {
    static final JsonMapper MAPPER = JsonMapper.builder().build();

    static final String BOS = "<｜begin▁of▁sentence｜>";
    static final String USER = "<｜User｜>";
    static final String THINK = "<think>";

    static final String NUMBERS = "\\p{N}{1,3}";
    static final String KANJI_AND_KANA = "[一-龥\u3040-ゟ゠-ヿ]+";
    static final String WORDS =
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                    + "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    private static final String[][] MERGES = {
        {"Ġ", "t"},
        {"h", "e"},
        {"Ġt", "he"},
        {"l", "l"},
        {"a", "a"},
        {"aa", "aa"},
        {"Ġ", "Ġ"},
        {"ð", "Ł"},
        {"ðŁ", "ĺ"},
        {"1", "2"},
        {"1", "23"},
        {"2", "3"},
    };

    final ObjectNode root = MAPPER.createObjectNode();

    /** Ids: 0 begin of sentence, 1 to 256 bytes, then merges; holes; 400 a special, 401 and 402 plain added tokens. */
    TokenizerJson() {
        ObjectNode model = root.putObject("model");
        model.put("type", "BPE");
        ObjectNode vocab = model.putObject("vocab");
        vocab.put(BOS, 0);
        for (int value = 0; value < 256; value++) {
            vocab.put(ByteAlphabet.symbol(value), value + 1);
        }
        ArrayNode merges = model.putArray("merges");
        for (String[] merge : MERGES) {
            vocab.put(merge[0] + merge[1], vocab.size());
            merges.addArray().add(merge[0]).add(merge[1]);
        }
        added(root.putArray("added_tokens"), BOS, 0, true);
        added(array("added_tokens"), USER, 400, true);
        added(array("added_tokens"), THINK, 401, false);
        added(array("added_tokens"), "<think>er", 402, false);
        ObjectNode preTokenizer = root.putObject("pre_tokenizer");
        preTokenizer.put("type", "Sequence");
        ArrayNode steps = preTokenizer.putArray("pretokenizers");
        for (String regex : new String[] {NUMBERS, KANJI_AND_KANA, WORDS}) {
            ObjectNode step = steps.addObject();
            step.put("type", "Split").put("behavior", "Isolated").put("invert", false);
            step.putObject("pattern").put("Regex", regex);
        }
        steps.addObject()
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("use_regex", false);
    }

    ObjectNode model() {
        return (ObjectNode) root.get("model");
    }

    ObjectNode vocab() {
        return (ObjectNode) model().get("vocab");
    }

    ArrayNode merges() {
        return (ArrayNode) model().get("merges");
    }

    ArrayNode array(String name) {
        return (ArrayNode) root.get(name);
    }

    ObjectNode step(int index) {
        return (ObjectNode) root.get("pre_tokenizer").get("pretokenizers").get(index);
    }

    void regex(String regex) {
        step(2).putObject("pattern").put("Regex", regex);
    }

    static void added(ArrayNode tokens, String content, int id, boolean special) {
        tokens.addObject().put("id", id).put("content", content).put("special", special);
    }

    Path write(Path folder) {
        return write(folder, MAPPER.writeValueAsBytes(root));
    }

    static Path write(Path folder, byte[] content) {
        try {
            return Files.write(folder.resolve("tokenizer.json"), content);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
