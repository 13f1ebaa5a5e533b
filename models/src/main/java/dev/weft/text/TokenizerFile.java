package dev.weft.text;

import dev.weft.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads {@code tokenizer.json}. A setting that would change ids or text and is not supported is refused; truncation,
 * padding and the post-processor are not read, for the caller decides about them.
 */
final class TokenizerFile {
    private static final long LARGEST_FILE = 256L << 20;

    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(64)
                            .maxNameLength(1 << 17)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY, DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private TokenizerFile() {}

    static Tokenizer load(Path file) {
        JsonField root = new JsonField(file.toString(), "", parse(file)).object();
        JsonField model = root.child("model").object();
        checkScheme(root, model);
        TokenTables tables = new TokenTables();
        tables.readVocabulary(model.child("vocab"));
        tables.readAddedTokens(root.child("added_tokens"));
        BytePairMerger merger =
                new BytePairMerger(tables.byteIds(model.child("vocab")), tables.readMerges(model.child("merges")));
        PreTokenizer preTokenizer = PreTokenizerSection.read(root.child("pre_tokenizer"));
        return new Tokenizer(tables.vocabulary(), tables.addedTokens(), preTokenizer, merger);
    }

    private static JsonNode parse(Path file) {
        try {
            // A device or a pipe could be read without end.
            if (!Files.isRegularFile(file)) {
                throw new CheckpointException(file + ": found no regular file, expected a tokenizer.json");
            }
            long size = Files.size(file);
            if (size > LARGEST_FILE) {
                throw new CheckpointException(
                        file + ": found " + size + " bytes, expected a tokenizer.json of at most " + LARGEST_FILE);
            }
            return MAPPER.readTree(Files.readAllBytes(file));
        } catch (JacksonException e) {
            throw new CheckpointException(
                    file + ": found broken JSON" + place(e) + ", expected a tokenizer.json: " + e.getOriginalMessage(),
                    e);
        } catch (IOException e) {
            throw new CheckpointException(file + ": found an unreadable file, expected a tokenizer.json: " + e, e);
        }
    }

    private static String place(JacksonException e) {
        TokenStreamLocation location = e.getLocation();
        return location == null ? "" : " at byte " + location.getByteOffset();
    }

    private static void checkScheme(JsonField root, JsonField model) {
        JsonField type = model.child("type");
        if (!type.isAbsent() && !type.string().equals("BPE")) {
            throw type.wrong("\"BPE\"");
        }
        JsonField dropout = model.child("dropout");
        if (!dropout.isAbsent() && !(dropout.node().isNumber() && dropout.node().doubleValue() == 0)) {
            throw dropout.wrong("none");
        }
        expectEmpty(model.child("continuing_subword_prefix"));
        expectEmpty(model.child("end_of_word_suffix"));
        expectFalse(model.child("byte_fallback"));
        expectFalse(model.child("ignore_merges"));
        JsonField normalizer = root.child("normalizer");
        boolean normalizes = !normalizer.isAbsent()
                && !(normalizer.object().child("type").string().equals("Sequence")
                        && normalizer.child("normalizers").array().node().isEmpty());
        if (normalizes) {
            throw normalizer.wrong("no normalizer");
        }
        JsonField decoder = root.child("decoder");
        if (!decoder.isAbsent() && !decoder.object().child("type").string().equals("ByteLevel")) {
            throw decoder.child("type").wrong("\"ByteLevel\"");
        }
    }

    private static void expectEmpty(JsonField field) {
        if (!field.isAbsent() && !field.string().isEmpty()) {
            throw field.wrong("an empty string or nothing");
        }
    }

    private static void expectFalse(JsonField field) {
        if (field.flagOr(false)) {
            throw field.wrong("false");
        }
    }
}
