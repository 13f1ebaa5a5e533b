package dev.weft.backend.cuda.kernel;

import dev.weft.DType;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/**
 * Matrix products on tensor cores: {@code gemm_decode} while reading the weights is what takes the time, {@code gemm_tile} for
 * many rows, {@code gemm_wgmma} in its place on Hopper, {@code gemm_rounds} where either would leave most of the device idle. FP8
 * and FP4 are decoded exactly to BF16; E4M3 times E4M3 to binary16 where the chip converts it, from compute capability 8.9 on,
 * except for {@code gemm_wgmma}. All add the same products in the same order, so that a row's bits need not depend on the choice:
 * the emulator shows it; whether wgmma aligns and truncates within an instruction as mma.sync does is for hardware to show.
 */
final class TensorCoreGemm {
    /** How rows find their matrix; ordinals are known to the kernels. */
    enum Product {
        SINGLE,
        GROUPED,
        EXPERTS
    }

    private static final int THREADS = 256;
    private static final int VECTOR_BITS = 128;
    static final int K_BLOCK = 128;
    private static final int MX_BLOCK = 32;

    static final int DECODE_MOST_ROWS = 32;
    static final int DECODE_TOKENS = 8;
    private static final int DECODE_STAGES = 3;

    /** Bytes between the codes of tokens that a block has quantised itself; known to the kernels. */
    private static final int GAP = 16;

    /** Bytes between the scales of two rows of MXFP4 weights; known to the kernels. */
    private static final int SCALE_GAP = 4;

    /** Tokens of a matrix up to which its weights are read once per {@link #DECODE_TOKENS}. */
    private static final int FEW = 2 * DECODE_TOKENS;

    /** As {@link #FEW}, of a product in one launch with those of experts. */
    private static final int FEW_BESIDE_EXPERTS = 16 * DECODE_TOKENS;

    private static final int TILE_ROWS = 256;
    private static final int TILE_TOKENS = 64;
    private static final int TILE_STAGES = 3;
    private static final int TILE_BYTES = THREADS * (TILE_STAGES + 1) * 4 * VECTOR_BITS / 8
            + 2 * TILE_TOKENS * (K_BLOCK * Short.BYTES + Integer.BYTES);

    private static final String WGMMA = "gemm_wgmma";
    private static final int WGMMA_ROWS = 128;
    private static final int WGMMA_STAGES = 4;
    /** Tokens of a block: the tile that experts with few rows do not leave half empty, and the one that reuses weights. */
    private static final int WGMMA_FEW = 64;

    private static final int WGMMA_MANY = 128;

    private static final String ROUNDS = "gemm_rounds";
    private static final int ROUNDS_ROWS = 32;
    private static final int ROUNDS_TOKENS = 32;

    /** Tokens of a matrix up to which its weights may be read once per {@link #ROUNDS_TOKENS}. */
    private static final int ROUNDS_MOST = 4 * ROUNDS_TOKENS;

    private TensorCoreGemm() {}

    /** How rows of an operator find their matrix. */
    static Product product(Op op) {
        return op instanceof Gemm ? Product.SINGLE : op instanceof GroupedGemm ? Product.GROUPED : Product.EXPERTS;
    }

    static Optional<String> refusal(OpInstance op, Chip chip) {
        long inputs = op.inputs().get(1).shape().dim(-1).maximum();
        if (!chip.hasBf16Mma()) {
            return Optional.of("compute capability " + chip.sm() / 10.0 + ": tensor cores take BF16 from 8.0 on");
        }
        for (int i = 0; i < 2; i++) {
            if (op.inputs().get(i).dtype() == DType.F32) {
                return Optional.of(op.op().operands().get(i) + " is F32: tensor cores would round it");
            }
        }
        if (inputs == 0 || inputs % MX_BLOCK != 0) {
            return Optional.of("K " + inputs + " is not a positive multiple of " + MX_BLOCK);
        }
        return chip.sharedBytes() < TILE_BYTES
                ? Optional.of("shared memory of a block: " + chip.sharedBytes() + ", needed " + TILE_BYTES)
                : Optional.empty();
    }

    /** Operands whose rows do not begin at 16-byte boundaries are left to the simple kernel. */
    static void emit(Emit e, Product product, Way.Body simple) {
        KernelArguments a = e.arguments();
        if (!isAligned(a, 0) || !isAligned(a, 1)) {
            simple.emit(e);
            return;
        }
        Optional<Few> few = few(e, product, false);
        if (few.isPresent()) {
            Few f = few.get();
            launch(e, product, "gemm_decode", "gemm_decode" + f.rows(), f.grid(), f.sharedBytes());
            return;
        }
        Optional<Many> many = many(e, product, WGMMA);
        Grid tiles = many.map(Many::grid).orElseGet(() -> grid(a, product, TILE_ROWS, TILE_TOKENS));
        if (isForRounds(e, product, tiles, many.map(Many::isWide).orElse(false))) {
            launch(e, product, ROUNDS, ROUNDS, grid(a, product, ROUNDS_ROWS, ROUNDS_TOKENS), roundsBytes(a));
            return;
        }
        many.ifPresentOrElse(
                m -> launch(e, product, WGMMA, WGMMA + m.tokens(), tiles, m.sharedBytes()),
                () -> launch(e, product, "gemm_tile", "gemm_tile", tiles, TILE_BYTES));
    }

    /**
     * How a product with many tokens is launched on Hopper.
     *
     * @param tokens of a block, {@link #WGMMA_FEW} or {@link #WGMMA_MANY}
     * @param grid blocks
     * @param sharedBytes of a block
     */
    record Many(int tokens, Grid grid, int sharedBytes) {
        boolean isWide() {
            return tokens == WGMMA_MANY;
        }
    }

    /**
     * The launch of products of warpgroups for a call; empty if the device or the image of the module has none, or rows are at
     * odd addresses.
     */
    static Optional<Many> many(Emit e, Product product, String module) {
        KernelArguments a = e.arguments();
        if (!e.chip().hasWgmma() || !isAligned(a, 0) || !isAligned(a, 1) || !e.hasOwnFeatures(module)) {
            return Optional.empty();
        }
        int tokens = isForWideTiles(e, product) ? WGMMA_MANY : WGMMA_FEW;
        return Optional.of(new Many(tokens, grid(a, product, WGMMA_ROWS, tokens), wgmmaBytes(a, tokens)));
    }

    /**
     * How a product with few tokens is launched.
     *
     * @param rows of weights of a block, {@link #DECODE_MOST_ROWS} or half of them
     * @param grid blocks
     * @param sharedBytes of a block
     */
    record Few(int rows, Grid grid, int sharedBytes) {
        boolean isTall() {
            return rows == DECODE_MOST_ROWS;
        }
    }

    /**
     * The launch of {@code gemm_decode} for a call; empty if it has too many tokens, or rows at odd addresses.
     *
     * @param besideExperts whether products of experts are in the same launch
     */
    static Optional<Few> few(Emit e, Product product, boolean besideExperts) {
        KernelArguments a = e.arguments();
        int rows = decodeRows(e, product);
        if (decodeBytes(a, rows, false) > e.chip().sharedBytes()) {
            rows = DECODE_MOST_ROWS / 2;
        }
        int bytes = decodeBytes(a, rows, false);
        return isAligned(a, 0)
                        && isAligned(a, 1)
                        && isFew(a, product, besideExperts)
                        && bytes <= e.chip().sharedBytes()
                ? Optional.of(new Few(rows, grid(a, product, rows, DECODE_TOKENS), bytes))
                : Optional.empty();
    }

    /** Rows of weights of a block, as far as they fit: fewer where many multiprocessors would not have a second block. */
    private static int decodeRows(Emit e, Product product) {
        Grid grid = grid(e.arguments(), product, DECODE_MOST_ROWS, DECODE_TOKENS);
        return 2 * grid.x() * grid.y() * grid.z() < 3L * e.chip().multiprocessors()
                ? DECODE_MOST_ROWS / 2
                : DECODE_MOST_ROWS;
    }

    /** Whether tiles of many tokens are filled, and are done before those of few that would have multiprocessors of their own. */
    private static boolean isForWideTiles(Emit e, Product product) {
        KernelArguments a = e.arguments();
        return tokens(a) > WGMMA_FEW * matrices(a, product)
                && (product == Product.EXPERTS
                        || waves(e, grid(a, product, WGMMA_ROWS, WGMMA_FEW))
                                > waves(e, grid(a, product, WGMMA_ROWS, WGMMA_MANY)));
    }

    /**
     * Whether blocks of {@code gemm_rounds} are estimated to be done before tiles are: those leave multiprocessors idle that have
     * few rows and tokens, these read weights and tokens more often.
     */
    private static boolean isForRounds(Emit e, Product product, Grid tiles, boolean isWide) {
        KernelArguments a = e.arguments();
        if (product == Product.EXPERTS
                || a.dtype(1) != DType.F8_E4M3
                || tokens(a) > ROUNDS_MOST * matrices(a, product)
                || roundsBytes(a) > e.chip().sharedBytes()) {
            return false;
        }
        // Estimates for H200 at 1.755 GHz, in microseconds for K 8192 with a block on every multiprocessor: of tiles by
        // the
        // instructions of a block of K, two warps a scheduler (404, 530, 600 and 931 cycles), of rounds by what they
        // read
        // through the second-level cache at 5.5 TB/s. Blocks of gemm_tile have more rows: there they err towards tiles.
        boolean isBf16 = a.dtype(0) == DType.BF16;
        int perRounds = isBf16 ? 19 : 12;
        int perTiles = isBf16 ? isWide ? 38 : 29 : isWide ? 68 : 44;
        return waves(e, grid(a, product, ROUNDS_ROWS, ROUNDS_TOKENS)) * perRounds < waves(e, tiles) * perTiles;
    }

    /** How often all multiprocessors have a block, one each. */
    private static long waves(Emit e, Grid grid) {
        return Math.ceilDiv(grid.x() * grid.y() * grid.z(), e.chip().multiprocessors());
    }

    private static boolean isAligned(KernelArguments a, int i) {
        return a.address(i) * Byte.SIZE % VECTOR_BITS == 0
                && a.pitch(i) * a.dtype(i).bits() % VECTOR_BITS == 0;
    }

    private static boolean isFew(KernelArguments a, Product product, boolean besideExperts) {
        return tokens(a) <= matrices(a, product) * mostFew(product, besideExperts);
    }

    private static int mostFew(Product product, boolean besideExperts) {
        // experts share their rows unevenly; where many fall to one, its tiles find the weights in the cache
        return product == Product.EXPERTS ? DECODE_TOKENS : besideExperts ? FEW_BESIDE_EXPERTS : FEW;
    }

    /** Whether no call of an instance has many tokens. */
    static boolean isAlwaysFew(OpInstance op, Product product) {
        long[] x = op.inputs().getFirst().shape().maximum();
        long tokens = Arrays.stream(x, 0, x.length - 1).reduce(1, Math::multiplyExact);
        long matrices = product == Product.SINGLE
                ? 1
                : op.inputs().get(1).shape().dim(0).maximum();
        return tokens <= matrices * mostFew(product, false);
    }

    private static long matrices(KernelArguments a, Product product) {
        return product == Product.SINGLE ? 1 : a.dim(1, 0);
    }

    /** Rows of x, over all groups. */
    static long tokens(KernelArguments a) {
        return a.elements(0) / a.dim(0, -1);
    }

    private static Grid grid(KernelArguments a, Product product, int rows, int tokens) {
        long height = Math.ceilDiv(a.dim(1, -2), rows);
        long all = tokens(a);
        return switch (product) {
            case SINGLE -> new Grid(Math.ceilDiv(all, tokens), height, 1);
            case GROUPED -> new Grid(Math.ceilDiv(a.dim(0, 0), tokens), height, a.dim(1, 0));
            // every expert that has rows has at most one tile that is not full; blocks past the last tile return
            case EXPERTS -> new Grid(all / tokens + Math.min(all, a.dim(1, 0)), height, 1);
        };
    }

    static void launch(Emit e, Product product, String module, String kernel, Grid grid, int sharedBytes) {
        KernelArguments a = e.arguments();
        String function = kernel + "_" + name(a.dtype(0)) + "_" + name(a.dtype(1));
        e.launch(module, function, grid, THREADS, sharedBytes, product.ordinal());
    }

    /** Shared memory of a block that quantises its tokens itself: their codes, and the rest as {@code gemm_decode} has it. */
    static int ownCodesBytes(KernelArguments a, int rows) {
        return Math.toIntExact(Math.min(DECODE_TOKENS, tokens(a)) * (a.dim(1, -1) + GAP)) + decodeBytes(a, rows, true);
    }

    /** Copies of weights and, if they are not the block's own, of tokens under way, sums of every block of K, scale bytes. */
    private static int decodeBytes(KernelArguments a, int rows, boolean ownCodes) {
        long inputs = a.dim(1, -1);
        int blocks = Math.toIntExact(Math.ceilDiv(inputs, K_BLOCK));
        int laneValues = VECTOR_BITS / a.dtype(1).bits();
        int slots =
                rows / 8 + (ownCodes ? 0 : Math.ceilDiv(laneValues * a.dtype(0).bits(), VECTOR_BITS));
        int queue = THREADS * DECODE_STAGES * slots * VECTOR_BITS / Byte.SIZE;
        int sums = blocks * DECODE_TOKENS * (rows + 4) * Float.BYTES;
        return queue + sums + DECODE_TOKENS * blocks + weightScaleBytes(a.dtype(1), inputs, rows);
    }

    /** E4M3: the rows are in one block of scales; MXFP4: each has its own. */
    private static int weightScaleBytes(DType weights, long inputs, int rows) {
        return switch (weights) {
            case F8_E4M3 -> Math.toIntExact(Math.ceilDiv(inputs, K_BLOCK));
            case F4_E2M1 -> Math.toIntExact(rows * (Math.ceilDiv(inputs, MX_BLOCK) + SCALE_GAP));
            default -> 0;
        };
    }

    /** Copies of weights and tokens under way, sums of two rounds, scale bytes. */
    private static int roundsBytes(KernelArguments a) {
        int blocks = Math.toIntExact(Math.ceilDiv(a.dim(1, -1), K_BLOCK));
        int tokenBytes = a.dtype(0).bits() / Byte.SIZE;
        int stages = a.dtype(0) == DType.BF16 ? 3 : 4;
        int slots = (ROUNDS_ROWS + ROUNDS_TOKENS * tokenBytes) / 8;
        int queue = THREADS * stages * slots * VECTOR_BITS / Byte.SIZE;
        int sums = 2 * THREADS / 32 * ROUNDS_TOKENS * ROUNDS_ROWS * Float.BYTES;
        return queue + sums + (ROUNDS_TOKENS + 1) * blocks;
    }

    /** Alignment, copies of weights under way, tokens as they are and decoded, exponents. */
    private static int wgmmaBytes(KernelArguments a, int tokens) {
        int queue = THREADS * WGMMA_STAGES * 2 * VECTOR_BITS / Byte.SIZE;
        int token = K_BLOCK * (a.dtype(0).bits() / Byte.SIZE + 2 * Short.BYTES) + 2 * Integer.BYTES;
        return 1024 + queue + tokens * token;
    }

    static String name(DType dtype) {
        return dtype.name().toLowerCase(Locale.ROOT);
    }
}
