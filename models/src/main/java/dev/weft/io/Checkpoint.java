package dev.weft.io;

import dev.weft.CheckpointException;
import dev.weft.ClosedException;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.io.support.ModelFile;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightSource;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A checkpoint as its publisher ships it: a folder with {@code model.safetensors.index.json} and its shards, or one
 * {@code model.safetensors}. All headers are validated when it is opened; bytes are read when asked for. Names are
 * those of specification 2.2, whichever of the accepted variants is stored (2.6). Thread-safe.
 */
public final class Checkpoint implements WeightSource, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Checkpoint.class);
    private static final String SINGLE_FILE = "model.safetensors";

    private final Path directory;
    private final Arena arena;
    private final List<SafetensorsFile> files;
    private final Map<String, Located> tensors;
    private final long totalBytes;
    private final WeightReader reader;

    /** A tensor and the file it lies in. */
    record Located(SafetensorsFile file, TensorEntry entry) {
        @Override
        public String toString() {
            return file.path() + ": tensor " + entry.name();
        }
    }

    private Checkpoint(Path directory, Arena arena, List<SafetensorsFile> files, Map<String, Located> tensors) {
        this.directory = directory;
        this.arena = arena;
        this.files = files;
        this.tensors = tensors;
        this.totalBytes =
                tensors.values().stream().mapToLong(t -> t.entry().bytes()).sum();
        this.reader = new WeightReader(this);
    }

    /**
     * Opens the checkpoint in {@code directory}.
     *
     * @throws CheckpointException if the index, a shard's name, a shard or their agreement is wrong
     */
    @SuppressWarnings("MustBeClosedChecker") // lives as long as the checkpoint
    public static Checkpoint open(Path directory) {
        Path root = realDirectory(directory);
        Path index = root.resolve(ShardIndex.FILE_NAME);
        Arena arena = Arena.ofShared();
        List<SafetensorsFile> files = Collections.synchronizedList(new ArrayList<>());
        try {
            Map<String, Located> tensors;
            OptionalLong declared = OptionalLong.empty();
            if (Files.exists(index, LinkOption.NOFOLLOW_LINKS)) {
                ShardIndex shards = ShardIndex.read(ShardIndex.locate(root, root, ShardIndex.FILE_NAME));
                tensors = sharded(root, shards, arena, files);
                declared = shards.totalSize();
            } else if (Files.exists(root.resolve(SINGLE_FILE), LinkOption.NOFOLLOW_LINKS)) {
                tensors = single(ShardIndex.locate(root, root, SINGLE_FILE), arena, files);
            } else {
                throw new CheckpointException(root + ": has neither " + ShardIndex.FILE_NAME + " nor " + SINGLE_FILE
                        + "; expected the folder of a safetensors checkpoint");
            }
            Checkpoint checkpoint = new Checkpoint(root, arena, files, tensors);
            if (declared.isPresent() && declared.getAsLong() != checkpoint.totalBytes) {
                throw new CheckpointException(index + ": metadata.total_size is " + declared.getAsLong()
                        + ", but the listed tensors have " + checkpoint.totalBytes + " bytes");
            }
            return checkpoint;
        } catch (RuntimeException | Error e) {
            files.forEach(SafetensorsFile::close);
            arena.close();
            throw e;
        }
    }

    private static SafetensorsFile open(Path path, Arena arena, List<SafetensorsFile> opened) {
        SafetensorsFile file = SafetensorsFile.open(path, SafetensorsFile.DEFAULT_HEADER_LIMIT, arena);
        opened.add(file);
        return file;
    }

    private static Path realDirectory(Path directory) {
        try {
            Path real = directory.toRealPath();
            if (!Files.isDirectory(real)) {
                throw new CheckpointException(directory + ": expected the folder of a checkpoint, found a file");
            }
            return real;
        } catch (IOException e) {
            throw ModelFile.unreadable(directory, e);
        }
    }

    private static Map<String, Located> single(Path path, Arena arena, List<SafetensorsFile> opened) {
        SafetensorsFile file = open(path, arena, opened);
        Map<String, Located> tensors = new LinkedHashMap<>();
        for (String stored : file.names()) {
            put(tensors, path, stored, new Located(file, file.find(stored).orElseThrow()));
        }
        return tensors;
    }

    private static Map<String, Located> sharded(
            Path root, ShardIndex index, Arena arena, List<SafetensorsFile> opened) {
        Set<String> names = new LinkedHashSet<>(index.shardOf().values());
        Map<String, Path> paths = new LinkedHashMap<>();
        // every name is judged before the first file is opened
        names.forEach(n -> paths.put(n, ShardIndex.locate(index.file(), root, n)));
        // headers of the largest models have 16 MiB in all: worth more than one core
        Map<String, SafetensorsFile> shards = paths.entrySet().parallelStream()
                .collect(Collectors.toConcurrentMap(Map.Entry::getKey, e -> open(e.getValue(), arena, opened)));
        Map<String, Located> tensors = new LinkedHashMap<>();
        index.shardOf().forEach((stored, shard) -> {
            SafetensorsFile file = Objects.requireNonNull(shards.get(shard));
            TensorEntry entry = file.find(stored)
                    .orElseThrow(() -> new CheckpointException(
                            file.path() + ": lacks tensor " + stored + ", which " + index.file() + " places there"));
            put(tensors, index.file(), stored, new Located(file, entry));
        });
        checkUnlisted(index, shards);
        return tensors;
    }

    /** A tensor that a second shard holds too is ambiguous; one that no index entry names is only unused. */
    private static void checkUnlisted(ShardIndex index, Map<String, SafetensorsFile> shards) {
        shards.forEach((shard, file) -> {
            int unlisted = 0;
            for (String stored : file.names()) {
                String listed = index.shardOf().get(stored);
                if (listed == null) {
                    unlisted++;
                } else if (!listed.equals(shard)) {
                    throw new CheckpointException(
                            file.path() + ": holds tensor " + stored + ", which is also in shard " + listed);
                }
            }
            if (unlisted > 0) {
                LOG.warn("{}: {} tensors are not in the index and stay unused", file.path(), unlisted);
            }
        });
    }

    private static void put(Map<String, Located> tensors, Path file, String stored, Located located) {
        String name = NameMapping.published(stored);
        Located other = tensors.put(name, located);
        if (other != null) {
            throw new CheckpointException(
                    file + ": tensors " + other.entry().name() + " and " + stored + " are both spellings of " + name);
        }
    }

    /** The folder, as a real path. */
    public Path directory() {
        return directory;
    }

    /** Bytes of all tensors. */
    public long totalBytes() {
        return totalBytes;
    }

    /** Published names of all tensors, in index order. */
    public List<String> names() {
        return List.copyOf(tensors.keySet());
    }

    /**
     * Identity of the checkpoint in hexadecimal digits: equal for copies of it, however they are sharded, and different
     * for another training. It is taken from all declarations and a sample of the bytes, so it tells mistakes, not
     * forgeries.
     *
     * @param configuration what else makes the model what it is
     */
    public String fingerprint(String configuration) {
        requireOpen();
        return Fingerprint.of(this, configuration);
    }

    /** The tensor of the published name {@code name}; the entry carries the stored name. */
    public Optional<TensorEntry> find(String name) {
        return Optional.ofNullable(tensors.get(name)).map(Located::entry);
    }

    /** Read-only mapped bytes of a tensor; see {@link SafetensorsFile#data}. */
    public MemorySegment data(String name) {
        requireOpen();
        Located t = require(name);
        return t.file().data(t.entry().name());
    }

    /**
     * The weight called {@code name} as {@code expected}: packed FP4 under its logical shape with {@code MXFP4}
     * scales, FP8 with its 128 x 128 scales, anything else unscaled. BF16 is widened where F32 is expected and I64
     * narrowed where I32 is, both exactly.
     *
     * @throws CheckpointException if it is missing, of another dtype or shape, or its scales are missing or of another
     *     shape; a scale that is not finite is found when the weight is read
     */
    @Override
    public WeightData weight(String name, TensorType expected) {
        requireOpen();
        return new WeightData(name, expected, reader.parts(List.of(name), expected));
    }

    /**
     * Several weights of one type as one: element {@code i} of the first axis is tensor {@code names.get(i)}.
     *
     * @param graphName name of the whole, for messages
     * @param expected type of the whole, first extent {@code names.size()}
     * @throws CheckpointException as {@link #weight} for each of them
     */
    public WeightData stacked(String graphName, TensorType expected, List<String> names) {
        requireOpen();
        if (expected.shape().rank() < 2 || expected.shape().dim(0).maximum() != names.size()) {
            throw new CheckpointException(directory + ": weight " + graphName + ": found " + names.size()
                    + " tensors, expected as many as the first extent of " + expected);
        }
        TensorType each = expected.shaped(
                new Shape(expected.shape().dims().subList(1, expected.shape().rank())));
        return new WeightData(graphName, expected, reader.parts(names, each));
    }

    Optional<Located> locate(String name) {
        return Optional.ofNullable(tensors.get(name));
    }

    Located require(String name) {
        return locate(name)
                .orElseThrow(() -> new CheckpointException(
                        directory + ": has no tensor " + name + "; is it the checkpoint of another model?"));
    }

    private void requireOpen() {
        if (!arena.scope().isAlive()) {
            throw new ClosedException(directory + ": checkpoint used after close");
        }
    }

    /** Unmaps all shards: segments handed out become invalid. */
    @Override
    public synchronized void close() {
        if (arena.scope().isAlive()) {
            files.forEach(SafetensorsFile::close);
            arena.close();
        }
    }
}
