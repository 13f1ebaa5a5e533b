package dev.weft.plan;

import dev.weft.RequestException;
import dev.weft.model.config.ModelConfig;
import dev.weft.plan.ParameterGroup.Kind;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * FLOPs and cache bytes of a model at any context. A context is the number of tokens that the newest one can see, itself
 * included; compressed entries count when they are whole.
 */
public final class CostModel {
    /** Longest context that is computed. */
    public static final long MAX_CONTEXT = 1L << 40;

    /** Heads x width of the plain grouped-query cache that V4 is held against. */
    private static final long GQA_LANES = 8 * 128;

    private final Architecture architecture;
    private final CacheFormat format;
    private final double fp8;
    private final double bf16;
    private final double head;
    private @Nullable RankMemory rankMemory;

    private CostModel(Architecture architecture, CacheFormat format) {
        this.architecture = architecture;
        this.format = format;
        this.fp8 = linear(g -> Arithmetic.ofWeights(g.stored()) == Arithmetic.FP8);
        this.head = linear(g -> g.kind() == Kind.HEAD);
        this.bf16 = linear(g -> Arithmetic.ofWeights(g.stored()) == Arithmetic.BF16) - head;
    }

    /** A model with its own cache format. */
    public static CostModel of(Architecture architecture) {
        return new CostModel(architecture, architecture.format());
    }

    /** A model with another cache format. */
    public static CostModel of(Architecture architecture, CacheFormat format) {
        return new CostModel(architecture, format);
    }

    private double linear(Predicate<ParameterGroup> which) {
        return architecture.parameters().stream()
                .filter(g -> !g.mtp() && g.multiplied())
                .filter(which)
                .mapToDouble(g -> 2.0 * architecture.active(g))
                .sum();
    }

    /** What is counted. */
    public Architecture architecture() {
        return architecture;
    }

    /** How the cache is stored. */
    public CacheFormat format() {
        return format;
    }

    /**
     * FLOPs of one generated token in the main stack.
     *
     * @param context tokens it sees, 1 to {@link #MAX_CONTEXT}
     */
    public TokenFlops flops(long context) {
        require(context);
        double indexer = 0;
        double core = 0;
        for (AttentionLayer layer : architecture.attention()) {
            indexer += layer.indexFlops(context);
            core += layer.coreFlops(context);
        }
        return new TokenFlops(fp8, bf16, head, indexer, format.indexKeys().arithmetic(), core);
    }

    /** Bytes that the cache of one sequence holds at a context of that many tokens, without {@link #tailBytes}. */
    public long heldBytes(long context) {
        require(context);
        long entry = architecture.cache().entryBytes(format.entries());
        long key = architecture.cache().keyBytes(format.indexKeys());
        long bytes = 0;
        for (AttentionLayer layer : architecture.attention()) {
            bytes += (layer.windowEntries(context) + layer.compressedEntries(context)) * entry
                    + layer.scannedKeys(context) * key;
        }
        return bytes;
    }

    /** Bytes of the cache that one decoded token reads: all index keys, and the entries it attends to. */
    public long readBytes(long context) {
        require(context);
        long entry = architecture.cache().entryBytes(format.entries());
        long key = architecture.cache().keyBytes(format.indexKeys());
        long bytes = 0;
        for (AttentionLayer layer : architecture.attention()) {
            bytes += layer.attendedEntries(context) * entry + layer.scannedKeys(context) * key;
        }
        return bytes;
    }

    /** State of the tokens that are not folded yet, per sequence and whatever its length. */
    public long tailBytes() {
        return architecture.attention().stream()
                .mapToLong(AttentionLayer::tailBytes)
                .sum();
    }

    /** Bytes of a BF16 grouped-query cache of 8 heads x 128 with as many layers. */
    public long plainCacheBytes(long context) {
        require(context);
        return architecture.layers() * context * 2 * Short.BYTES * GQA_LANES;
    }

    /** What a rank holds, counted once for all deployments of this model. */
    synchronized RankMemory rankMemory(ModelConfig config) {
        if (rankMemory == null) {
            rankMemory = new RankMemory(config);
        }
        return rankMemory;
    }

    private static void require(long context) {
        if (context < 1 || context > MAX_CONTEXT) {
            throw new RequestException("context: found " + context + ", expected 1 to " + MAX_CONTEXT + " tokens");
        }
    }
}
