package dev.weft.model;

import static java.util.Objects.requireNonNull;

import dev.weft.DeviceMemoryException;
import dev.weft.RequestException;
import dev.weft.io.Checkpoint;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ContextInputs;
import dev.weft.parallel.ParallelPlan;
import dev.weft.parallel.ShardedGraph;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Placement;
import dev.weft.spi.Closing;
import dev.weft.spi.Communicator;
import dev.weft.spi.WeightSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Brings a checkpoint to a device. Whatever can be refused is refused before a weight is read. */
final class ModelLoader {
    private static final Logger LOG = LoggerFactory.getLogger(ModelLoader.class);

    private final Checkpoint checkpoint;
    private final Device device;
    private final LoadOptions options;
    /** The options that states and graphs are planned for. */
    private final LoadOptions stateOptions;

    private final ContextInputs contextInputs;
    private CompileOptions compile;
    private final ParallelPlan plan;
    private final @Nullable RankSteps ranks;
    private final ModelConfig config;
    private final List<ShardedGraph> shares = new ArrayList<>();
    private final List<CompiledGraph> graphs = new ArrayList<>();
    /** What tells this checkpoint from others. */
    private String identity = "";

    private ModelLoader(
            Checkpoint checkpoint,
            Device device,
            LoadOptions options,
            CompileOptions compile,
            ParallelPlan plan,
            @Nullable RankSteps ranks) {
        this.checkpoint = checkpoint;
        this.device = device;
        this.options = options;
        this.compile = compile;
        this.plan = plan;
        this.ranks = ranks;
        this.stateOptions = plan.context() ? ContextPrefill.room(options) : options;
        this.contextInputs = new ContextInputs(plan.ranks(), options.maxTokens());
        this.config = ModelConfig.read(checkpoint.directory().resolve("config.json"));
    }

    static DeepSeekV4 load(
            Checkpoint checkpoint,
            Device device,
            LoadOptions options,
            CompileOptions compile,
            ParallelPlan plan,
            LongConsumer progress) {
        Communicator group = requireGroup(plan, compile.group());
        if (group == null) {
            return new ModelLoader(checkpoint, device, options, compile, plan, null).load(progress);
        }
        // whatever one rank refuses, all learn: nobody waits for a rank that is not coming
        RankSteps ranks = new RankSteps(group);
        ModelLoader loader = new ModelLoader(checkpoint, device, options, compile, plan, ranks);
        ranks.together("check of the model", loader::refuse);
        loader.identity = loader.fingerprint();
        ranks.requireSame("model", loader.identity);
        // a placement of many experts is longer than what is compared: its hash stands in front
        String layout = plan.toString();
        ranks.requireSame("options", String.format("%s, plan %08x: %s", options, layout.hashCode(), layout));
        List<DeepSeekV4> loaded = new ArrayList<>();
        try {
            ranks.together("compilation", loader::compile);
            ranks.together("loading of weights", () -> loaded.add(loader.load(progress)));
        } catch (RuntimeException | Error e) {
            loaded.forEach(DeepSeekV4::abandon);
            ranks.close();
            throw e;
        }
        return loaded.getFirst();
    }

    private static @Nullable Communicator requireGroup(ParallelPlan plan, @Nullable Communicator group) {
        int size = group == null ? 1 : group.size();
        if (size != plan.ranks()) {
            throw new RequestException("parallel plan of " + plan.ranks() + " ranks: found "
                    + (group == null ? "no group" : "group " + group.name() + " of " + size)
                    + "; load with CompileOptions.withGroup of as many ranks");
        }
        return size == 1 ? null : group;
    }

    private void refuse() {
        requireMtp(checkpoint, config, options);
        plan.check(config);
        if (plan.context()) {
            ContextPrefill.refuseModel(options, config);
        }
    }

    private void compile() {
        if (ranks != null) {
            compile = compile.withGroups(ranks.split(plan.blocks()));
        }
        int rank = compile.group() == null ? 0 : compile.group().rank();
        shares.add(plan.share(V4Graphs.backbone(config, stateOptions, device), config, rank));
        if (options.mtp()) {
            shares.add(plan.share(V4Graphs.mtp(config, stateOptions, device), config, rank));
        }
        CompileOptions used =
                options.trace() ? compile.withoutFusion() : compile; // what is traced is compared node by node
        shares.forEach(s -> graphs.add(device.compile(s.graph(), used)));
        requireStates(checkpoint, graphs, options);
        warnOfBatches();
        int fixed = fixedTokens();
        if (ranks != null) {
            LOG.debug(
                    "dispatch over {} ranks: {}",
                    plan.ranks(),
                    fixed > 0
                            ? "fixed layout in steps of up to " + fixed + " tokens per rank, counts in longer ones"
                            : "counts in every step");
        }
        if (fixed > 0) {
            LoadOptions few = stateOptions.maxTokens(Math.min(fixed, options.maxTokens()));
            shares.add(plan.shareFixed(V4Graphs.backbone(config, few, device), config, rank));
            graphs.add(device.compile(shares.getLast().graph(), used));
        }
        if (plan.context()) {
            shares.add(plan.shareContext(V4Graphs.backbone(config, stateOptions), config, rank, contextInputs));
            ContextPrefill.refuseBounds(stateOptions, contextInputs);
            graphs.add(device.compile(shares.getLast().graph(), compile));
        }
        if (ranks != null) {
            requireMemory();
        }
    }

    private void warnOfBatches() {
        graphs.getFirst().graph().nodes().stream()
                .map(node -> device.spi().rowsDependOnOthers(node.instance()))
                .flatMap(Optional::stream)
                .findFirst()
                .ifPresent(reason -> LOG.warn(
                        "device {}: a sequence's tokens may depend on who else is in the batch: {}",
                        device.id(),
                        reason));
    }

    /** Most tokens of a rank in a step with the fixed layout of dispatch; what is traced is the backbone. */
    private int fixedTokens() {
        Communicator group = compile.group();
        return ranks == null || group == null || options.trace() ? 0 : plan.fixedTokens(group);
    }

    /** A rank that would run out of memory while it loads keeps all others waiting for minutes. */
    private void requireMemory() {
        Placement p = graphs.getFirst().placement();
        long needed = CompiledGraph.residentBytes(graphs);
        int sharing = (fixedTokens() > 0 ? 1 : 0) + (plan.context() ? 1 : 0);
        needed -= sharing * p.stateBytes(); // they are the backbone's
        long available = device.availableBytes().orElse(Long.MAX_VALUE);
        if (needed > available) {
            throw new DeviceMemoryException(checkpoint.directory() + " on " + device.id() + ": this rank's share needs "
                    + needed + " bytes in memory (of weights " + p.weightBytes() + ", states " + p.stateBytes()
                    + ", values "
                    + (p.valueBytes() + p.workspaceBytes()) + "), found " + available
                    + "; use more ranks, fewer sequences, fewer tokens per step or a smaller capacity");
        }
    }

    /** Compiles, and reads names and samples beside it, which takes about a third of the time. */
    private String compileAndIdentify() {
        CompletableFuture<String> text = CompletableFuture.supplyAsync(this::fingerprint);
        try {
            compile();
            return joined(text);
        } finally {
            text.handle((found, failure) -> found).join(); // it uses the checkpoint, which may be closed now
        }
    }

    private DeepSeekV4 load(LongConsumer progress) {
        if (ranks == null) {
            refuse();
            identity = compileAndIdentify();
        }
        List<AutoCloseable> opened = new ArrayList<>();
        try {
            WeightSource source = ShardedGraph.weights(shares, new V4Weights(checkpoint));
            DeviceWeights weights = CompiledGraph.loadWeights(graphs, source, progress);
            opened.addFirst(weights);
            StepRunner backbone = new StepRunner(graphs.getFirst(), weights, stateOptions);
            opened.addFirst(backbone);
            long rowBytes = streamBytes(config, options);
            MtpRunner mtp = options.mtp() ? new MtpRunner(graphs.get(1), weights, stateOptions, rowBytes) : null;
            if (mtp != null) {
                opened.addFirst(mtp);
            }
            StepRunner fixed = null;
            if (fixedTokens() > 0) {
                fixed = StepRunner.on(backbone, graphs.get(options.mtp() ? 2 : 1), weights, stateOptions);
                opened.addFirst(fixed);
            }
            ContextPrefill context = null;
            if (plan.context()) {
                StepRunner runner = StepRunner.on(backbone, graphs.getLast(), weights, stateOptions);
                opened.addFirst(runner);
                context = new ContextPrefill(requireNonNull(compile.group()), options, contextInputs, runner);
            }
            Stepper stepper = new Stepper(backbone, fixed, mtp, ranks, context);
            return new DeepSeekV4(config, options, identity, weights, backbone, mtp, stepper);
        } catch (RuntimeException | Error e) {
            Closing.all(opened);
            throw e;
        }
    }

    private static String joined(CompletableFuture<String> text) {
        try {
            return text.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof Error error) {
                throw error;
            }
            throw e.getCause() instanceof RuntimeException failure ? failure : e;
        }
    }

    private String fingerprint() {
        return checkpoint.fingerprint(config.toJson());
    }

    private static void requireMtp(Checkpoint checkpoint, ModelConfig config, LoadOptions options) {
        if (config.hasDsparkDrafter()) {
            if (options.mtp()) {
                throw new RequestException(
                        checkpoint.directory() + ": its MTP tensors are a DSpark drafter, which is not"
                                + " run; load without MTP: the backbone is the same");
            }
            LOG.warn(
                    "{}: the DSpark drafter (mtp.*) is not loaded; the backbone runs without it",
                    checkpoint.directory());
        }
        if (options.mtp() && config.numNextnPredictLayers() == 0) {
            throw new RequestException(
                    checkpoint.directory() + ": has no MTP block (num_nextn_predict_layers is 0); load without it");
        }
    }

    private static void requireStates(Checkpoint checkpoint, List<CompiledGraph> graphs, LoadOptions options) {
        long needed = graphs.stream().mapToLong(g -> g.placement().stateBytes()).sum();
        if (needed > options.stateLimit()) {
            throw new DeviceMemoryException(checkpoint.directory() + ": states of maxSequences="
                    + options.maxSequences() + ", rollback=" + options.rollback() + " and " + options.pages()
                    + " cache pages: found " + needed + " bytes, expected at most stateLimit=" + options.stateLimit()
                    + "; load with fewer sequences, a shorter maxContext or fewer cachePages");
        }
    }

    /** Bytes of the residual streams of one row. */
    private static long streamBytes(ModelConfig config, LoadOptions options) {
        return options.mode().flow().bytes((long) config.hcMult() * config.hiddenSize());
    }
}
