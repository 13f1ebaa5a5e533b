package dev.weft.chat;

import dev.weft.CheckpointException;
import dev.weft.io.support.ModelFile;
import dev.weft.io.support.StrictJson;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * The constant texts of a checkpoint, every one verified by its hash (specification 8.3). They are read from the
 * checkpoint's own encoder, a Python file in its folder {@code encoding}, or from a JSON file
 * <pre>{"texts": {"effort_max": {"text": "..."}, ...}}</pre>
 * with the keys of {@link PromptText}. Missing texts are no error until a prompt needs one.
 */
public final class PromptTexts {
    private static final String FOLDER = "encoding";
    private static final long LARGEST_FILE = 4L << 20;
    private static final PromptTexts NONE = new PromptTexts(Map.of());

    private final Map<PromptText, String> texts;

    private PromptTexts(Map<PromptText, String> texts) {
        this.texts = texts.isEmpty() ? Map.of() : Collections.unmodifiableMap(new EnumMap<>(texts));
    }

    /** No texts: enough for conversations without tools, response format and efforts. */
    public static PromptTexts none() {
        return NONE;
    }

    /** Whether the folder of a model has an encoder to read texts from. */
    public static boolean isIn(Path modelDirectory) {
        return Files.isDirectory(modelDirectory.resolve(FOLDER));
    }

    /**
     * Reads texts.
     *
     * @param path a Python file, a JSON file, a folder of such files, or the folder of a model with a folder
     *     {@code encoding}
     * @throws CheckpointException if a file is unreadable, is larger than 4 MiB, has none of the texts, or has one that
     *     does not match its hash
     */
    public static PromptTexts load(Path path) {
        Map<PromptText, String> found = new EnumMap<>(PromptText.class);
        if (Files.isDirectory(path)) {
            Path folder = isIn(path) ? path.resolve(FOLDER) : path;
            for (Path file : filesOf(folder)) {
                readInto(found, file);
            }
        } else {
            readInto(found, path);
        }
        if (found.isEmpty()) {
            throw new CheckpointException(path + ": found none of the texts of the prompt format, expected some of "
                    + List.of(PromptText.values()));
        }
        return new PromptTexts(found);
    }

    private static List<Path> filesOf(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(f -> Files.isRegularFile(f) && (isPython(f) || isNamed(f, ".json")))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw ModelFile.unreadable(folder, e);
        }
    }

    private static boolean isPython(Path file) {
        return isNamed(file, ".py");
    }

    private static boolean isNamed(Path file, String extension) {
        return String.valueOf(file.getFileName()).endsWith(extension);
    }

    private static void readInto(Map<PromptText, String> found, Path file) {
        long size = ModelFile.regularSize(file);
        if (size > LARGEST_FILE) {
            throw new CheckpointException(
                    file + ": found " + size + " bytes, expected a file of prompt texts of at most " + LARGEST_FILE);
        }
        try {
            if (isPython(file)) {
                PythonTemplates.candidates(Files.readString(file, StandardCharsets.UTF_8))
                        .forEach(text -> PromptText.recognise(text).ifPresent(known -> found.put(known, text)));
            } else {
                readJson(found, file.toString(), StrictJson.object(Files.readAllBytes(file), file.toString()));
            }
        } catch (CharacterCodingException e) {
            throw new CheckpointException(file + ": is not UTF-8", e);
        } catch (IOException e) {
            throw ModelFile.unreadable(file, e);
        }
    }

    private static void readJson(Map<PromptText, String> found, String file, JsonNode root) {
        for (PromptText known : PromptText.values()) {
            JsonNode text = root.path("texts").path(known.key()).path("text");
            if (text.isMissingNode()) {
                continue;
            }
            if (!text.isString()) {
                throw new CheckpointException(file + ": texts." + known.key() + ".text: found " + PythonJson.kind(text)
                        + ", expected a string");
            }
            byte[] utf8 = text.stringValue().getBytes(StandardCharsets.UTF_8);
            if (!PromptText.hash(utf8).equals(known.sha256())) {
                throw new CheckpointException(file + ": texts." + known.key() + ": found " + utf8.length
                        + " bytes with SHA-256 " + PromptText.hash(utf8) + ", expected " + known.bytes() + " with "
                        + known.sha256());
            }
            found.put(known, text.stringValue());
        }
    }

    /** A text, if the checkpoint has it. */
    public Optional<String> find(PromptText text) {
        return Optional.ofNullable(texts.get(text));
    }

    /** The format of the checkpoint: {@link Revision#JULY_31} if it has the text that only that revision uses. */
    public Revision revision() {
        return texts.containsKey(PromptText.EFFORT_BEYOND_MAX) ? Revision.JULY_31 : Revision.APRIL;
    }

    /** @throws MissingPromptTextException if it is not there; the message names the mode that needs it */
    String require(PromptText text, String mode) {
        return find(text).orElseThrow(() -> new MissingPromptTextException(mode, text));
    }
}
