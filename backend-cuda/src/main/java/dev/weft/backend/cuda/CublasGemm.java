package dev.weft.backend.cuda;

import dev.weft.DType;
import dev.weft.backend.cuda.CublasProducts.Answer;
import dev.weft.backend.cuda.CublasProducts.Places;
import dev.weft.backend.cuda.CublasProducts.Plan;
import dev.weft.backend.cuda.CublasProducts.Refused;
import dev.weft.backend.cuda.kernel.Chip;
import dev.weft.backend.cuda.kernel.CudaOps;
import dev.weft.backend.cuda.kernel.Emit;
import dev.weft.backend.cuda.kernel.Grid;
import dev.weft.backend.cuda.kernel.Way;
import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Linear layers by cuBLASLt: BF16 with BF16, and FP8 with FP8, whose scale bytes a kernel of ours first writes as F32 in the order
 * that the library reads. What its documentation rules out runs as on the device without a variant; so does a call that it has no
 * algorithm for, and a warning names the first one of each matrix.
 */
final class CublasGemm {
    private static final String MODULE = "cublaslt";
    private static final int THREADS = 256;

    private static final Logger LOG = LoggerFactory.getLogger(CublasGemm.class);
    private static final Refused UNEQUAL = new Refused("rows of an operand lie at unequal distances");

    private final CublasProducts products;
    private final Set<String> warned = ConcurrentHashMap.newKeySet();

    CublasGemm(CublasProducts products) {
        this.products = products;
    }

    Way way() {
        return Way.library("gemm/" + CudaBackend.CUBLASLT, this::emit)
                .refusing(this::refusal)
                .scratch((op, chip) -> scratchBytes(op));
    }

    private Optional<String> refusal(OpInstance op, Chip chip) {
        DType x = op.inputs().get(0).dtype();
        DType w = op.inputs().get(1).dtype();
        if (x != w || x != DType.BF16 && x != DType.F8_E4M3) {
            return Optional.of(products.library().versionText()
                    + " is used for BF16 x BF16 and F8_E4M3 x F8_E4M3, found " + x + " x " + w);
        }
        String lack = x == DType.F8_E4M3 ? products.library().lackOfBlockScales(chip.sm()) : "";
        if (!lack.isEmpty()) {
            return Optional.of(products.library().versionText() + ": " + lack);
        }
        try (Arena arena = Arena.ofConfined()) {
            return CublasProduct.of(Emission.nowhere(op.all(), arena))
                    .map(products::answer)
                    .flatMap(a -> a instanceof Refused(String reason) ? Optional.of(reason) : Optional.empty());
        }
    }

    private static long scratchBytes(OpInstance op) {
        try (Arena arena = Arena.ofConfined()) {
            return CublasProduct.of(Emission.nowhere(op.all(), arena))
                    .map(p -> weightScales(p) + p.weightScaleBytes())
                    .orElse(0L);
        }
    }

    /** Byte of the scratch memory at which the scales of x begin; the library's own comes first. */
    private static long tokenScales() {
        return CublasProducts.WORKSPACE_BYTES;
    }

    /** Those of w. */
    private static long weightScales(CublasProduct p) {
        return tokenScales() + Math.ceilDiv(p.tokenScaleBytes(), 256) * 256;
    }

    private void emit(Emit e) {
        Optional<CublasProduct> product = CublasProduct.of(e.arguments());
        Answer answer = product.map(products::answer).orElse(UNEQUAL);
        switch (answer) {
            case Plan plan -> emit(e, product.orElseThrow(), plan);
            case Refused(String reason) -> {
                boolean isForeseen = e.arguments().elements(0) == 0
                        || product.filter(p -> !p.refusal().isEmpty()).isPresent();
                if (!isForeseen && warned.add(e.op().inputs().get(1).toString())) {
                    String which = product.map(CublasProduct::toString).orElseGet(() -> e.op().toString());
                    LOG.warn("{}: {}: {}; computed by a kernel of our own", products, which, reason);
                }
                own(e).body().emit(e);
            }
        }
    }

    /** The first of our own ways, which need no scratch memory. */
    private static Way own(Emit e) {
        return CudaOps.ways(e.op().op()).stream()
                .filter(w -> w.refusal().of(e.op(), e.chip()).isEmpty())
                .findFirst()
                .orElseThrow();
    }

    private void emit(Emit e, CublasProduct product, Plan plan) {
        KernelArguments a = e.arguments();
        long workspace = a.workspace();
        long ofTokens = tokenScales();
        long ofWeights = weightScales(product);
        if (product.isScaled()) {
            long numbers = (product.tokenScaleBytes() + product.weightScaleBytes()) / Float.BYTES;
            e.launch(MODULE, "cublaslt_scales", Grid.covering(numbers, THREADS), THREADS, 0, ofTokens, ofWeights);
        }
        Places at = new Places(
                a.address(0),
                a.address(1),
                a.address(a.count() - 1),
                workspace + ofTokens,
                workspace + ofWeights,
                workspace);
        e.call(stream -> products.multiply(product, plan, at, stream));
    }
}
