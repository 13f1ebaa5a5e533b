package dev.weft.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Agreement with the reference implementation on stored cases. */
class TokenizerGoldenTest {
    private static List<String> strings(JsonNode array) {
        return array.valueStream().map(JsonNode::stringValue).toList();
    }

    @Test
    void encodesAndDecodesTheStoredCases() throws Exception {
        Path folder = SharedData.golden("tokenizer");
        Tokenizer tokenizer = Tokenizer.load(folder.resolve("tokenizer.json"));
        JsonNode cases = TokenizerJson.MAPPER.readTree(Files.readAllBytes(folder.resolve("cases.json")));
        assertThat(cases.size()).isPositive();
        for (JsonNode expected : cases) {
            String text = expected.get("text").stringValue();
            int[] ids = tokenizer.encodeWithSpecials(text);
            assertThat(ids)
                    .as(text)
                    .containsExactly(expected.get("ids")
                            .valueStream()
                            .mapToInt(JsonNode::intValue)
                            .toArray());
            assertThat(Arrays.stream(ids).mapToObj(tokenizer::tokenText).toList())
                    .as(text)
                    .isEqualTo(strings(expected.get("tokens")));
            assertThat(tokenizer.decode(ids))
                    .as(text)
                    .isEqualTo(expected.get("decoded").stringValue());
            assertThat(tokenizer.decode(ids, true))
                    .as(text)
                    .isEqualTo(expected.get("decoded_skip_special").stringValue());
        }
    }

    @Test
    void cutsTheStoredPieces() throws Exception {
        Path folder = SharedData.golden("tokenizer");
        JsonNode file = TokenizerJson.MAPPER.readTree(Files.readAllBytes(folder.resolve("tokenizer.json")));
        PreTokenizer preTokenizer =
                PreTokenizerSection.read(new JsonField("tokenizer.json", "pre_tokenizer", file.get("pre_tokenizer")));
        for (JsonNode expected : TokenizerJson.MAPPER.readTree(Files.readAllBytes(folder.resolve("cases.json")))) {
            String text = expected.get("text").stringValue();
            List<String> pieces = new ArrayList<>();
            preTokenizer.split(text, (start, end) -> pieces.add(inByteAlphabet(text.substring(start, end))));
            assertThat(pieces).as(text).isEqualTo(strings(expected.get("pieces")));
        }
    }

    private static String inByteAlphabet(String piece) {
        StringBuilder symbols = new StringBuilder();
        for (byte value : piece.getBytes(StandardCharsets.UTF_8)) {
            symbols.append(ByteAlphabet.symbol(value & 0xFF));
        }
        return symbols.toString();
    }

    @Test
    void encodesTheHeldOutTextOfTheDemoModel() throws Exception {
        Path folder = SharedData.demoModel();
        Tokenizer tokenizer = Tokenizer.load(folder.resolve("tokenizer.json"));
        String text = Files.readString(folder.resolve("heldout.txt"));
        int[] ids = tokenizer.encode(text);
        assertThat(ids).hasSize(58_667);
        assertThat(tokenizer.decode(ids)).isEqualTo(text);
        assertThat(tokenizer.vocabularySize()).isEqualTo(1280);
        Map.of("<｜fim▁hole｜>", 1263, "<｜User｜>", 1266, "<think>", 1269, "<｜read_url｜>", 1279)
                .forEach((token, id) ->
                        assertThat(tokenizer.idOf(token)).as(token).hasValue(id));
    }
}
