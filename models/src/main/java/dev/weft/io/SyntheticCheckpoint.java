package dev.weft.io;

import dev.weft.CheckpointException;
import dev.weft.io.support.StrictJson;
import dev.weft.model.config.ModelConfig;
import dev.weft.model.config.ModelInventory;
import dev.weft.model.config.StoredTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.LongConsumer;
import tools.jackson.databind.node.ObjectNode;

/**
 * A checkpoint of random weights in the publisher's format: {@code config.json}, index and shards, with real FP8 and
 * FP4 codes and scales (specification 2 and 11.1). The same seed gives the same bytes. Memory is bounded by one strip
 * of rows and the scales of one matrix.
 *
 * @param config what to write
 * @param seed where the random numbers start
 * @param shardBytes tensor bytes after which a new shard begins
 */
public record SyntheticCheckpoint(ModelConfig config, long seed, long shardBytes) {
    /** Shards of about 4 GiB. */
    public static final long DEFAULT_SHARD_BYTES = 4L << 30;

    public SyntheticCheckpoint {
        if (shardBytes < 1) {
            throw new CheckpointException(
                    "synthetic checkpoint: found shardBytes " + shardBytes + ", expected 1 or more");
        }
    }

    /** With shards of the default size. */
    public static SyntheticCheckpoint of(ModelConfig config, long seed) {
        return new SyntheticCheckpoint(config, seed, DEFAULT_SHARD_BYTES);
    }

    /**
     * Writes the checkpoint.
     *
     * @param directory created if absent
     * @param progress receives the tensor bytes written so far, after each tensor
     * @throws CheckpointException if it cannot be written
     */
    public void write(Path directory, LongConsumer progress) {
        RandomTensors random = new RandomTensors(seed, config.nRoutedExperts());
        long[] done = {0};
        writeShards(directory, (writer, shard) -> {
            for (int i = 0; i < shard.size(); i++) {
                StoredTensor t = shard.get(i);
                if (t.role() == StoredTensor.Role.QUANTISED) {
                    StoredTensor scale = shard.get(++i);
                    writer.write(scale.name(), random.quantised(t, bytes -> writer.write(t.name(), bytes)));
                    done[0] += scale.bytes();
                } else {
                    random.plain(t, bytes -> writer.write(t.name(), bytes));
                }
                done[0] += t.bytes();
                progress.accept(done[0]);
            }
            writer.finish();
        });
    }

    /** Writes the checkpoint. */
    public void write(Path directory) {
        write(directory, bytes -> {});
    }

    /**
     * Writes configuration, index and headers with all weights zero and, on file systems with sparse files, without
     * taking room for them: to look at models of any size.
     */
    public void writeHeadersOnly(Path directory) {
        writeShards(directory, (writer, shard) -> writer.finishSparse());
    }

    /** Fills and finishes one shard. */
    private interface Filler {
        void fill(SafetensorsWriter writer, List<StoredTensor> shard);
    }

    private void writeShards(Path directory, Filler filler) {
        List<StoredTensor> tensors = ModelInventory.of(config);
        List<List<StoredTensor>> shards = split(tensors);
        ObjectNode index = StrictJson.newObject();
        index.putObject("metadata").put("total_size", ModelInventory.bytes(tensors));
        ObjectNode map = index.putObject("weight_map");
        try {
            Files.createDirectories(directory);
            for (int i = 0; i < shards.size(); i++) {
                String file = String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, shards.size());
                shards.get(i).forEach(t -> map.put(t.name(), file));
                SafetensorsWriter.Declaration declaration =
                        SafetensorsWriter.to(directory.resolve(file)).metadata("format", "pt");
                shards.get(i).forEach(t -> declaration.tensor(t.name(), t.dtype(), t.shape()));
                try (SafetensorsWriter writer = declaration.open()) {
                    filler.fill(writer, shards.get(i));
                }
            }
            replace(directory.resolve("config.json"), config.toJson());
            // last: a folder without its index is not a checkpoint yet
            replace(directory.resolve(ShardIndex.FILE_NAME), StrictJson.pretty(index));
        } catch (IOException e) {
            throw new CheckpointException(directory + ": cannot be written: " + e, e);
        }
    }

    private static void replace(Path file, String text) throws IOException {
        Path part = file.resolveSibling(file.getFileName() + ".part");
        Files.writeString(part, text);
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Consecutive runs of tensors below the limit; a matrix and its scales stay together. */
    private List<List<StoredTensor>> split(List<StoredTensor> tensors) {
        List<List<StoredTensor>> shards = new ArrayList<>();
        long bytes = 0;
        for (StoredTensor t : tensors) {
            boolean mayBreak = t.role() != StoredTensor.Role.SCALE;
            if (shards.isEmpty() || (mayBreak && bytes + t.bytes() > shardBytes && bytes > 0)) {
                shards.add(new ArrayList<>());
                bytes = 0;
            }
            shards.getLast().add(t);
            bytes += t.bytes();
        }
        return shards;
    }
}
