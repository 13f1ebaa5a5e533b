package dev.weft.cli;

import dev.weft.CheckpointException;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.config.ModelConfig;
import dev.weft.model.config.ModelInventory;
import dev.weft.model.config.StoredTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code weft synth}: a checkpoint of random weights in the publisher's format. */
@Command(name = "synth", description = "Write a checkpoint of random weights in the publisher's format, of any size.")
final class SynthCommand extends WeftCommand {
    @Parameters(index = "0", paramLabel = "DIR", description = "Folder to write to: a new one, or an empty one.")
    private Path directory = Path.of("");

    @Option(
            names = "--config",
            defaultValue = "tiny",
            paramLabel = "NAME",
            description = "tiny, flash, pro or the file of a configuration. Default: ${DEFAULT-VALUE}.")
    private String config = "tiny";

    @Option(
            names = "--layers",
            paramLabel = "N",
            description = "Backbone layers; the pattern of ratios is cut or goes on.")
    private int layers;

    @Option(names = "--experts", paramLabel = "N", description = "Routed experts.")
    private int experts;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "Any key of config.json, the value in JSON. Repeatable.")
    private Map<String, String> changes = new LinkedHashMap<>();

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Equal seeds give equal bytes.")
    private long seed;

    @Option(
            names = "--headers-only",
            description =
                    "All weights zero, without taking room on file systems with sparse files: to look at, not to run.")
    private boolean headersOnly;

    SynthCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        requireEmpty();
        ModelConfig c = configuration();
        List<StoredTensor> tensors = ModelInventory.of(c);
        long bytes = ModelInventory.bytes(tensors);
        SyntheticCheckpoint checkpoint = SyntheticCheckpoint.of(c, seed);
        if (headersOnly) {
            checkpoint.writeHeadersOnly(directory);
        } else {
            try (Progress progress = new Progress(terminal, "writing weights", Progress.Unit.BYTES, bytes)) {
                checkpoint.write(directory, progress);
            }
        }
        terminal.printf("%s: %d tensors, %s%n", directory, tensors.size(), Units.bytes(bytes));
        return ExitCode.OK;
    }

    private void requireEmpty() throws IOException {
        if (Files.isDirectory(directory)) {
            try (Stream<Path> files = Files.list(directory)) {
                if (files.findAny().isPresent()) {
                    throw new UsageException("DIR: " + directory + " is not empty; nothing was written");
                }
            }
        } else if (Files.exists(directory)) {
            throw new UsageException("DIR: " + directory + " is a file, expected a folder");
        }
    }

    private void requireKnown(ModelConfig c) {
        for (String key : changes.keySet()) {
            if (c.extra().containsKey(key)) {
                throw new UsageException(
                        "--set: found key '" + key + "', expected one that config.json has in a V4 model");
            }
        }
    }

    private ModelConfig configuration() {
        try {
            ModelConfig c = ConfigPreset.named("--config", config);
            c = layers == 0 ? c : c.with(ConfigPreset.layers(c, layers));
            c = experts == 0 ? c : c.with(ConfigPreset.experts(c, experts));
            Map<String, Object> values = new LinkedHashMap<>();
            changes.forEach((key, text) -> values.put(key, ConfigPreset.value(text)));
            c = values.isEmpty() ? c : c.with(values);
            requireKnown(c);
            return c;
        } catch (CheckpointException e) {
            throw new UsageException(e.getMessage(), e); // nothing but the command line made this configuration
        }
    }
}
