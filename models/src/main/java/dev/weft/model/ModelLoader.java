package dev.weft.model;

import dev.weft.DeviceMemoryException;
import dev.weft.RequestException;
import dev.weft.io.Checkpoint;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.spi.Closing;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Brings a checkpoint to a device. Whatever can be refused is refused before a weight is read. */
final class ModelLoader {
    private static final Logger LOG = LoggerFactory.getLogger(ModelLoader.class);

    private ModelLoader() {}

    static DeepSeekV4 load(
            Checkpoint checkpoint, Device device, LoadOptions options, CompileOptions compile, LongConsumer progress) {
        ModelConfig config = ModelConfig.read(checkpoint.directory().resolve("config.json"));
        requireMtp(checkpoint, config, options);
        List<CompiledGraph> graphs = new ArrayList<>();
        graphs.add(device.compile(V4Graphs.backbone(config, options), compile));
        if (options.mtp()) {
            graphs.add(device.compile(V4Graphs.mtp(config, options), compile));
        }
        requireStates(checkpoint, graphs, options);
        List<AutoCloseable> opened = new ArrayList<>();
        try {
            DeviceWeights weights = CompiledGraph.loadWeights(graphs, new V4Weights(checkpoint), progress);
            opened.addFirst(weights);
            StepRunner backbone = new StepRunner(graphs.getFirst(), weights, options);
            opened.addFirst(backbone);
            long rowBytes = streamBytes(config, options);
            MtpRunner mtp = options.mtp() ? new MtpRunner(graphs.get(1), weights, options, rowBytes) : null;
            String fingerprint = checkpoint.fingerprint(config.toJson());
            return new DeepSeekV4(config, options, fingerprint, weights, backbone, mtp);
        } catch (RuntimeException | Error e) {
            Closing.all(opened);
            throw e;
        }
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
