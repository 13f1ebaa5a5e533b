package dev.weft.cli;

import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.Session;
import dev.weft.runtime.Device;
import dev.weft.spi.DeviceInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft trace}: where the time of a step goes, node by node, as a file for a trace viewer. */
@Command(
        name = "trace",
        description = {
            "Record a prefill and decode steps of a model, node by node, for Perfetto or chrome://tracing.",
            "MODEL may also be a flight recording (*.jfr) of any program that uses Weft, which is converted.",
            "Every node is waited for, which costs some microseconds each that a step does not need otherwise."
        })
final class TraceCommand extends WeftCommand {
    private static final int SHOWN_KERNELS = 12;

    @Mixin
    private ModelOptions options = new ModelOptions();

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "JSON file to write.")
    private Path out = Path.of("");

    @Option(
            names = "--prompt",
            paramLabel = "N",
            defaultValue = "128",
            description = "Tokens of the prefill, drawn at random. Default: ${DEFAULT-VALUE}.")
    private int prompt;

    @Option(
            names = "--steps",
            paramLabel = "N",
            defaultValue = "1",
            description = "Decode steps. Default: ${DEFAULT-VALUE}.")
    private int steps;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Of the tokens. Default: ${DEFAULT-VALUE}.")
    private long seed;

    TraceCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        BenchOptions.positive("--prompt", prompt);
        BenchOptions.positive("--steps", steps);
        Path source = options.path();
        if (Files.isRegularFile(source)) {
            write(read(source), Json.object().put("recording", source.toString()));
        } else {
            record();
        }
        return ExitCode.OK;
    }

    private List<RecordedEvent> read(Path recording) {
        try {
            List<RecordedEvent> all = RecordingFile.readAllEvents(recording);
            List<RecordedEvent> shown =
                    all.stream().filter(e -> !isOfEmulator(e)).toList();
            if (shown.size() < all.size()) {
                if (shown.stream().noneMatch(ChromeTrace::isWeft)) {
                    throw new UsageException("MODEL: " + recording
                            + " holds only events of emulators, whose times say nothing, expected those of a device");
                }
                terminal.note(
                        "%d events of emulators are left out: their times say nothing%n", all.size() - shown.size());
            }
            return shown;
        } catch (IOException e) {
            throw new UsageException(
                    "MODEL: " + recording + ": found " + e.getMessage()
                            + ", expected the folder of a checkpoint or a flight recording",
                    e);
        }
    }

    private static boolean isOfEmulator(RecordedEvent event) {
        return ChromeTrace.isWeft(event)
                && event.hasField("device")
                && Device.isEmulator(String.valueOf(event.getString("device")));
    }

    private void record() throws IOException {
        LoadOptions load =
                LoadOptions.defaults().maxContext(Math.addExact(prompt, steps)).maxTokens(prompt);
        try (LoadedModel loaded = options.load(terminal, load)) {
            DeviceInfo device = loaded.device().info();
            if (device.isEmulator()) {
                throw new UsageException("--device: " + device.id() + " is an emulator, whose times say nothing");
            }
            ObjectNode about = Json.object().put("weft", Version.text());
            about.put("device", device.id() + ", " + device.description()).put("tier", device.tier());
            about.put("model", options.directory().toString());
            about.put("numerics", loaded.model().options().mode().toString());
            about.put("prompt", prompt).put("steps", steps).put("seed", seed);
            write(recorded(loaded.model()), about);
        }
    }

    private List<RecordedEvent> recorded(DeepSeekV4 model) throws IOException {
        Path file = Files.createTempFile("weft-trace", ".jfr");
        try (Recording recording = new Recording()) {
            for (String type : List.of("Step", "Run", "Kernel")) {
                recording.enable("dev.weft." + type).withoutThreshold();
            }
            recording.start();
            run(model); // what the first run of a program and of its recorder pays for is not part of a step
            Instant warm = Instant.now();
            run(model);
            recording.stop();
            recording.dump(file);
            return RecordingFile.readAllEvents(file).stream()
                    .filter(e -> e.getStartTime().isAfter(warm))
                    .toList();
        } finally {
            Files.deleteIfExists(file);
        }
    }

    private void run(DeepSeekV4 model) {
        Random random = new Random(seed);
        int vocabulary = model.config().vocabSize();
        try (Session session = model.newSession()) {
            session.append(random.ints(prompt, 0, vocabulary).toArray());
            for (int i = 0; i < steps; i++) {
                session.append(random.nextInt(vocabulary));
            }
        }
    }

    private void write(List<RecordedEvent> events, ObjectNode about) throws IOException {
        ChromeTrace trace = ChromeTrace.of(events);
        if (trace.isEmpty()) {
            throw new UsageException("MODEL: " + options.path()
                    + " holds no event dev.weft.*, expected a recording of a" + " program that uses Weft");
        }
        Files.writeString(out, trace.json(about).toString());
        printKernels(trace.kernels());
    }

    /** Time of the kernels with the most. */
    private void printKernels(List<RecordedEvent> kernels) {
        if (kernels.isEmpty()) {
            terminal.note(
                    "no event dev.weft.Kernel in the recording: it is off unless enabled, see docs/observability.md%n");
            return;
        }
        record Sum(int count, long nanos) {
            Sum plus(Sum other) {
                return new Sum(count + other.count, nanos + other.nanos);
            }
        }
        Map<String, Sum> sums = new TreeMap<>();
        kernels.forEach(e -> sums.merge(e.getString("kernel"), new Sum(1, ChromeTrace.nanos(e)), Sum::plus));
        long total = sums.values().stream().mapToLong(Sum::nanos).sum();
        TextTable table = new TextTable(false, "kernel", "nodes", "ms", "share");
        sums.entrySet().stream()
                .sorted((a, b) ->
                        Long.compare(b.getValue().nanos(), a.getValue().nanos()))
                .limit(SHOWN_KERNELS)
                .forEach(e -> table.add(
                        e.getKey(),
                        Integer.toString(e.getValue().count()),
                        "%.3f".formatted(e.getValue().nanos() / 1e6),
                        "%.1f %%".formatted(100.0 * e.getValue().nanos() / total)));
        table.print(terminal);
    }
}
