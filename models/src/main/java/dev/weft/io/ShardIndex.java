package dev.weft.io;

import dev.weft.CheckpointException;
import dev.weft.io.support.ModelFile;
import dev.weft.io.support.StrictJson;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * The index of a sharded checkpoint: which file holds which tensor (specification 2.1).
 *
 * @param file the index file, for messages
 * @param shardOf file name by stored tensor name
 * @param totalSize bytes of all tensors, if declared
 */
record ShardIndex(Path file, Map<String, String> shardOf, OptionalLong totalSize) {
    static final String FILE_NAME = "model.safetensors.index.json";

    /** Longest index that is read: a million entries take about 100 MiB. */
    private static final long MAX_BYTES = 512L << 20;

    /** Reads an index; {@link #locate} judges the shard names. @throws CheckpointException if it is malformed */
    static ShardIndex read(Path file) {
        if (ModelFile.regularSize(file) > MAX_BYTES) {
            throw new CheckpointException(file + ": exceeds " + MAX_BYTES + " bytes");
        }
        try (InputStream in = Files.newInputStream(file);
                JsonParser json = StrictJson.parser(in)) {
            return new Reader(file, json).document();
        } catch (JacksonException e) {
            throw StrictJson.invalid(file.toString(), e);
        } catch (IOException e) {
            throw ModelFile.unreadable(file, e);
        }
    }

    /**
     * The shard as a real file below {@code root}.
     *
     * <p>A link may not lead out of the model's folder. The exception is the download cache of the Hugging Face hub,
     * whose {@code snapshots/REVISION} folders are links into {@code blobs} next to {@code snapshots}.
     *
     * @param root real path of the checkpoint's folder
     */
    static Path locate(Path declaredIn, Path root, String shard) {
        if (shard.isEmpty()
                || shard.equals("..")
                || shard.equals(".")
                || shard.chars().anyMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ')) {
            throw new CheckpointException(declaredIn + ": shard name '"
                    + StrictJson.shortened(shard.replaceAll("\\p{Cntrl}", "?"))
                    + "', expected a plain file name in the same folder");
        }
        Path real;
        try {
            real = root.resolve(shard).toRealPath();
        } catch (NoSuchFileException e) {
            throw new CheckpointException(
                    root.resolve(shard) + ": this shard is missing; download the checkpoint again", e);
        } catch (IOException e) {
            throw ModelFile.unreadable(root.resolve(shard), e);
        }
        if (!real.startsWith(root) && !isInBlobs(root, real)) {
            throw new CheckpointException(
                    root.resolve(shard) + ": is a link out of the checkpoint's folder to " + real);
        }
        ModelFile.regularSize(real);
        return real;
    }

    private static boolean isInBlobs(Path snapshot, Path real) {
        Path snapshots = snapshot.getParent();
        return snapshots != null
                && snapshots.endsWith("snapshots")
                && real.startsWith(snapshots.resolveSibling("blobs"));
    }

    /** Parser state while reading one index. */
    private static final class Reader {
        private final Path file;
        private final JsonParser json;
        private final Map<String, String> shardOf = new LinkedHashMap<>();
        private final Map<String, String> names = new HashMap<>();
        private OptionalLong totalSize = OptionalLong.empty();

        Reader(Path file, JsonParser json) {
            this.file = file;
            this.json = json;
        }

        ShardIndex document() {
            json.nextToken();
            openObject("the index");
            for (String key = json.nextName(); key != null; key = json.nextName()) {
                json.nextToken();
                switch (key) {
                    case "weight_map" -> weightMap();
                    case "metadata" -> metadata();
                    default -> json.skipChildren();
                }
            }
            if (json.nextToken() != null) {
                throw fail("found " + StrictJson.found(json) + " after the JSON object");
            }
            if (shardOf.isEmpty()) {
                throw fail("weight_map is missing or empty");
            }
            return new ShardIndex(file, shardOf, totalSize);
        }

        private void weightMap() {
            if (!shardOf.isEmpty()) {
                throw fail("weight_map occurs twice");
            }
            openObject("weight_map");
            for (String name = json.nextName(); name != null; name = json.nextName()) {
                if (json.nextToken() != JsonToken.VALUE_STRING) {
                    throw fail("tensor " + StrictJson.shortened(name) + ": expected a file name, found "
                            + StrictJson.found(json));
                }
                String shard = names.computeIfAbsent(json.getString(), s -> s);
                if (shardOf.put(name, shard) != null) {
                    throw fail("tensor " + StrictJson.shortened(name) + " is listed twice");
                }
            }
        }

        private void metadata() {
            openObject("metadata");
            for (String key = json.nextName(); key != null; key = json.nextName()) {
                JsonToken value = json.nextToken();
                if (!key.equals("total_size")) {
                    json.skipChildren();
                    continue;
                }
                if (!value.isNumeric()) {
                    throw fail("metadata.total_size: expected a number of bytes, found " + StrictJson.found(json));
                }
                totalSize = OptionalLong.of(wholeBytes(json.getString()));
            }
        }

        /** Some writers store the total as a float. */
        private long wholeBytes(String number) {
            try {
                BigDecimal value = new BigDecimal(number);
                // beyond this exponent the exact conversion would build a number of that many digits
                if (Math.abs((long) value.scale()) < 100 && value.signum() >= 0) {
                    return value.longValueExact();
                }
            } catch (ArithmeticException | NumberFormatException e) {
                // falls through to the message below
            }
            throw fail("metadata.total_size: expected a number of bytes, found " + StrictJson.shortened(number));
        }

        private void openObject(String what) {
            if (json.currentToken() != JsonToken.START_OBJECT) {
                throw fail(what + ": expected a JSON object, found " + StrictJson.found(json));
            }
        }

        private CheckpointException fail(String what) {
            return new CheckpointException(file + ": " + what);
        }
    }
}
