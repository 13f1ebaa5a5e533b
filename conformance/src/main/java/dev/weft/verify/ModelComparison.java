package dev.weft.verify;

import dev.weft.BackendUnavailableException;
import dev.weft.DeviceId;
import dev.weft.DeviceMemoryException;
import dev.weft.RequestException;
import dev.weft.UnsupportedOpException;
import dev.weft.bench.Rounds;
import dev.weft.bench.StepBench;
import dev.weft.bench.Work;
import dev.weft.graph.Graph;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Backends;
import dev.weft.spi.Closing;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Holds devices against a reference on a model: node by node in a prefill and one decoded token, end to end over a prefill
 * and several decoded tokens, and in time where the device is hardware.
 */
public final class ModelComparison {
    /** Name of the step with all tokens of the prompt. */
    public static final String PREFILL = "prefill";

    /** Name of the step with one token after it. */
    public static final String DECODE = "decode";

    /**
     * What is compared.
     *
     * @param reference the device that is taken to be right
     * @param devices the others; the reference among them is left out
     * @param mode numeric mode of all
     * @param tokens of the run, two or more
     * @param decode how many of them, the last ones, are decoded one by one; 1 or more
     * @param rounds of the times
     */
    public record Plan(
            DeviceId reference, List<DeviceId> devices, NumericMode mode, int[] tokens, int decode, Rounds rounds) {
        public Plan {
            devices = devices.stream()
                    .filter(d -> !d.equals(reference))
                    .distinct()
                    .toList();
            tokens = tokens.clone();
            if (decode < 1 || tokens.length <= decode) {
                throw new RequestException("comparison: found " + tokens.length + " tokens, " + decode
                        + " of them to be decoded, expected 1 or more to be decoded and 1 or more before them");
            }
        }

        int prefill() {
            return tokens.length - decode;
        }

        int[] prompt() {
            return Arrays.copyOf(tokens, prefill());
        }
    }

    /** Logits of a run, and the run. */
    private record Ran(DeviceRun run, List<float[]> logits) {}

    private final Backends backends;
    private final Weft weft;
    private final Checkpoint checkpoint;
    private final Plan plan;
    private final LoadOptions options;
    private final Graph graph;
    private final ModelConfig config;
    private final Consumer<String> progress;

    private ModelComparison(Backends backends, Weft weft, Checkpoint checkpoint, Plan plan, Consumer<String> progress) {
        this.backends = backends;
        this.weft = weft;
        this.checkpoint = checkpoint;
        this.plan = plan;
        this.options = LoadOptions.defaults()
                .mode(plan.mode())
                .maxContext(plan.tokens().length)
                .maxTokens(plan.prefill());
        this.config = ModelConfig.read(checkpoint.directory().resolve("config.json"));
        this.graph = V4Graphs.backbone(config, options);
        this.progress = progress;
    }

    /**
     * Runs a comparison.
     *
     * @param backends where the devices are
     * @param weft over the same backends
     * @param progress receives what is being done
     * @throws dev.weft.WeftException if the reference is absent or cannot run the model; what other devices cannot do is
     *     in the report
     */
    public static ModeReport run(
            Backends backends, Weft weft, Checkpoint checkpoint, Plan plan, Consumer<String> progress) {
        return new ModelComparison(backends, weft, checkpoint, plan, progress).run();
    }

    private ModeReport run() {
        Map<String, List<Work>> work = new LinkedHashMap<>();
        work.put(PREFILL, StepBench.work(config, graph, 0, plan.prefill()));
        work.put(DECODE, StepBench.work(config, graph, plan.prefill(), 1));
        List<NodeReport> nodes = walk();
        Ran reference = whole(plan.reference(), null);
        List<DeviceRun> runs = new ArrayList<>();
        for (DeviceId id : plan.devices()) {
            runs.add(tried(id, reference.logits()));
        }
        return new ModeReport(graph.name(), Optional.of(plan.mode()), reference.run(), runs, nodes, work);
    }

    private List<NodeReport> walk() {
        Map<DeviceId, BackendDevice> opened = new LinkedHashMap<>();
        List<AutoCloseable> closing = new ArrayList<>();
        try {
            BackendDevice reference = backends.device(plan.reference());
            closing.addFirst(reference);
            for (DeviceId id : plan.devices()) {
                try {
                    opened.put(id, backends.device(id));
                    closing.addFirst(opened.get(id));
                } catch (BackendUnavailableException e) {
                    progress.accept(e.getMessage()); // in the report too: the whole model cannot run there either
                }
            }
            NodeWalk walk = new NodeWalk(graph, V4Graphs.weights(checkpoint), reference, opened);
            progress.accept("node by node: " + PREFILL);
            List<NodeReport> nodes = new ArrayList<>(step(walk, PREFILL, 0, plan.prompt()));
            progress.accept("node by node: " + DECODE);
            nodes.addAll(step(walk, DECODE, plan.prefill(), plan.tokens()[plan.prefill()]));
            return nodes;
        } finally {
            Closing.all(closing);
        }
    }

    private List<NodeReport> step(NodeWalk walk, String name, int position, int... ids) {
        Map<String, MemorySegment> inputs = new LinkedHashMap<>();
        V4Graphs.inputs(options, position, ids, ids.length)
                .forEach((input, values) -> inputs.put(input, MemorySegment.ofArray(values)));
        return walk.run(name, V4Graphs.extents(ids.length, 1, ids.length), inputs);
    }

    /** What a device cannot do is told, and the others go on. */
    private DeviceRun tried(DeviceId id, List<float[]> expected) {
        try {
            return whole(id, expected).run();
        } catch (BackendUnavailableException e) {
            return DeviceRun.without(id, Optional.empty(), String.valueOf(e.getMessage()));
        } catch (UnsupportedOpException | DeviceMemoryException e) {
            DeviceRun.Machine machine = DeviceRun.Machine.of(weft.device(id));
            return DeviceRun.without(id, Optional.of(machine), String.valueOf(e.getMessage()));
        }
    }

    /** @param expected the reference's logits, null for the reference itself */
    private Ran whole(DeviceId id, @Nullable List<float[]> expected) {
        progress.accept("end to end: " + id);
        Device device = weft.device(id);
        try (DeepSeekV4 model = DeepSeekV4.load(checkpoint, device, options);
                Session session = model.newSession()) {
            List<float[]> logits = new ArrayList<>(List.of(session.appendAll(plan.prompt())));
            for (int i = plan.prefill(); i < plan.tokens().length; i++) {
                logits.add(session.append(plan.tokens()[i]));
            }
            Map<String, StepBench> times =
                    device.info().tier().equals(DeviceRun.HARDWARE) ? times(model, session, device) : Map.of();
            DeviceRun run = new DeviceRun(
                    id,
                    Optional.of(DeviceRun.Machine.of(device)),
                    Optional.empty(),
                    Optional.of(EndToEnd.of(expected == null ? logits : expected, logits)),
                    Optional.of(model.placement()),
                    times);
            return new Ran(run, logits);
        }
    }

    /** After the logits: a step that is timed runs again and again. */
    private Map<String, StepBench> times(DeepSeekV4 model, Session session, Device device) {
        progress.accept("times: " + device.id());
        Map<String, StepBench> times = new LinkedHashMap<>();
        session.reset();
        session.appendAll(plan.prompt());
        times.put(PREFILL, StepBench.of(model, device, 0, plan.prefill(), plan.rounds()));
        session.append(plan.tokens()[plan.prefill()]);
        times.put(DECODE, StepBench.of(model, device, plan.prefill(), 1, plan.rounds()));
        return times;
    }
}
