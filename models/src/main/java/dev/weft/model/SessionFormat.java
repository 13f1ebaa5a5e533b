package dev.weft.model;

import dev.weft.DType;
import dev.weft.io.SafetensorsWriter;
import dev.weft.model.config.ModelConfig;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;

/**
 * What a session file looks like: a safetensors file with the tokens, the sequence's row of every ring under the ring's
 * name, its pages of every cache in the order of the sequence, with MTP the residual streams of the last positions, and at
 * the end the CRC-32C of all bytes before it. A device keeps states in row-major order whatever it is, so files go from
 * one to another; numeric mode, rollback and MTP decide about shapes and are named in the metadata, as the checkpoint is.
 */
final class SessionFormat {
    /** To be raised when the meaning of any part changes; the checksum stays as it is in all versions. */
    static final String VERSION = "1";

    static final String VERSION_KEY = "weft.session";
    static final String CHECKPOINT_KEY = "checkpoint";
    static final String MODE_KEY = "mode";
    static final String ROLLBACK_KEY = "rollback";
    static final String MTP_KEY = "mtp";
    static final String HIGH_WATER_KEY = "highWater";
    static final String MTP_POSITION_KEY = "mtpPosition";

    static final String TOKENS = "tokens";
    static final String STREAMS = "streams";
    static final String CHECKSUM = "checksum";
    static final int CHECKSUM_BYTES = 4;

    private final ModelConfig config;
    private final LoadOptions options;
    private final String fingerprint;
    private final List<StepRunner> runners;

    SessionFormat(ModelConfig config, LoadOptions options, String fingerprint, List<StepRunner> runners) {
        this.config = config;
        this.options = options;
        this.fingerprint = fingerprint;
        this.runners = List.copyOf(runners);
    }

    /** A tensor of the file. */
    record Part(String name, DType dtype, List<Long> shape) {
        static Part of(String name, DType dtype, long... shape) {
            return new Part(name, dtype, LongStream.of(shape).boxed().toList());
        }

        /** A part that holds {@code rows} rows of a state. */
        static Part of(StatePlan.Row row, long... rows) {
            long[] dims = row.type().shape().maximum();
            return of(
                    row.name(),
                    row.type().dtype(),
                    LongStream.concat(LongStream.of(rows), LongStream.of(dims)).toArray());
        }

        long[] dims() {
            return shape.stream().mapToLong(d -> d).toArray();
        }
    }

    /** All tensors of a file in their order. @param streams positions whose residual streams are kept */
    List<Part> parts(int tokens, int streams) {
        List<Part> parts = new ArrayList<>();
        parts.add(Part.of(TOKENS, DType.I32, tokens));
        runners.forEach(r -> r.plan().rings().forEach(row -> parts.add(Part.of(row))));
        int pages = LoadOptions.pagesOf(tokens);
        runners.forEach(r -> r.plan().caches().forEach(row -> parts.add(Part.of(row, pages))));
        if (options.mtp()) {
            parts.add(Part.of(STREAMS, options.mode().flow(), streams, config.hcMult(), config.hiddenSize()));
        }
        parts.add(Part.of(CHECKSUM, DType.U8, CHECKSUM_BYTES));
        return parts;
    }

    /** What a file must say about the model that it belongs to. */
    Map<String, String> identity() {
        Map<String, String> m = new LinkedHashMap<>();
        m.put(VERSION_KEY, VERSION);
        m.put(CHECKPOINT_KEY, fingerprint);
        m.put(MODE_KEY, options.mode().name());
        m.put(ROLLBACK_KEY, Integer.toString(options.rollback()));
        m.put(MTP_KEY, Boolean.toString(options.mtp()));
        return m;
    }

    /** A file with nothing but its header. */
    SafetensorsWriter.Declaration declare(SafetensorsWriter.Declaration file, Progress progress, int streams) {
        identity().forEach(file::metadata);
        file.metadata(HIGH_WATER_KEY, Integer.toString(progress.highWater()));
        file.metadata(MTP_POSITION_KEY, Integer.toString(progress.mtpPosition()));
        parts(progress.position(), streams).forEach(p -> file.tensor(p.name(), p.dtype(), p.dims()));
        return file;
    }

    ModelConfig config() {
        return config;
    }

    LoadOptions options() {
        return options;
    }

    List<StepRunner> runners() {
        return runners;
    }
}
