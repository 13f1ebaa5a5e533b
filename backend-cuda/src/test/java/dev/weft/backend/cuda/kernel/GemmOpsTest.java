package dev.weft.backend.cuda.kernel;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.UnsupportedOpException;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which kernels multiply, on how many blocks. */
class GemmOpsTest {
    private static final Chip H200 = new Chip(90, 132, 232_448, 60L << 20);
    private static final Chip A100 = new Chip(80, 108, 166_912, 40L << 20);
    private static final long ALIGNED = 1L << 40;

    private record Launched(String function, Grid grid, int sharedBytes) {}

    private record Recorder(
            OpInstance op, KernelArguments arguments, Chip chip, boolean hasOwnFeatures, List<Launched> launches)
            implements Emit {
        @Override
        public boolean hasOwnFeatures(String module) {
            return hasOwnFeatures;
        }

        @Override
        public void launch(String module, String function, Grid grid, int threads, int sharedBytes, long... words) {
            launches.add(new Launched(function, grid, sharedBytes));
        }

        @Override
        public void call(StreamCall call) {
            throw new AssertionError("another library is called");
        }
    }

    private static TensorType bf16(long... extents) {
        return TensorType.of(DType.BF16, extents);
    }

    private static TensorType fp8(Scaling scaling, long... extents) {
        return new TensorType(DType.F8_E4M3, Shape.of(extents), scaling);
    }

    private static TensorType x(long... extents) {
        return fp8(Scaling.FP8_GROUP_128, extents);
    }

    private static TensorType w(long... extents) {
        return fp8(Scaling.FP8_BLOCK_128, extents);
    }

    private static OpInstance instance(Op op, TensorType... operands) {
        return OpInstance.of(op, Arrays.asList(operands));
    }

    private static Way fast(OpInstance op) {
        return CudaOps.ways(op.op()).getFirst();
    }

    /** The one launch of an instance at its largest extents, operands at the given distance from a whole vector. */
    private static Launched launch(OpInstance op, Chip chip, long offset) {
        return launch(op, chip, offset, true);
    }

    private static Launched launch(OpInstance op, Chip chip, long offset, boolean hasOwnFeatures) {
        return launch(fast(op), op, chip, offset, hasOwnFeatures);
    }

    private static Launched launch(Way way, OpInstance op, Chip chip, long offset, boolean hasOwnFeatures) {
        try (Arena arena = Arena.ofConfined()) {
            KernelArguments arguments = new KernelArguments(op.all(), arena);
            for (int i = 0; i < arguments.count(); i++) {
                arguments.bind(i, ALIGNED + offset, ALIGNED);
            }
            Recorder recorder = new Recorder(op, arguments, chip, hasOwnFeatures, new ArrayList<>());
            way.body().emit(recorder);
            assertThat(recorder.launches()).hasSize(1);
            return recorder.launches().getFirst();
        }
    }

    private static Launched launch(OpInstance op) {
        return launch(op, H200, 0);
    }

    @Test
    void fewRowsReadTheWeightsAtOnce() {
        Launched wide = launch(instance(new Gemm(DType.BF16), x(16, 1024), w(32768, 1024)));
        assertThat(wide.function()).isEqualTo("gemm_decode32_f8_e4m3_f8_e4m3");
        assertThat(wide.grid()).isEqualTo(new Grid(2, 1024, 1));
        Launched narrow = launch(instance(new Gemm(DType.F32), bf16(1, 4096), bf16(256, 4096)));
        assertThat(narrow.function()).isEqualTo("gemm_decode16_bf16_bf16");
        assertThat(narrow.grid()).isEqualTo(new Grid(1, 16, 1));
    }

    /** Sums of 32 rows over so many blocks of K exceed the shared memory, those of 16 do not. */
    @Test
    void fewerRowsOfWeightsWhereMoreDoNotFit() {
        Launched deep = launch(instance(new Gemm(DType.BF16), bf16(1, 20_480), bf16(32_768, 20_480)));
        assertThat(deep.function()).isEqualTo("gemm_decode16_bf16_bf16");
        assertThat(deep.sharedBytes()).isLessThanOrEqualTo(H200.sharedBytes());
    }

    /** Copies under way, sums of 32 blocks of K, scales of 8 tokens; scales of weights as they come: none, by block, by row. */
    @Test
    void blocksHaveTheScalesOfTheirWeights() {
        int sums = 32 * 8 * 20 * Float.BYTES;
        int copies = 256 * 3 * 16;
        TensorType fp4 = new TensorType(DType.F4_E2M1, Shape.of(256, 4096), Scaling.MXFP4);
        assertThat(launch(instance(new Gemm(DType.F32), bf16(1, 4096), bf16(256, 4096))))
                .returns(3 * copies + sums + 8 * 32, Launched::sharedBytes);
        assertThat(launch(instance(new Gemm(DType.F32), x(1, 4096), w(256, 4096))))
                .returns(3 * copies + sums + 8 * 32 + 32, Launched::sharedBytes);
        assertThat(launch(instance(new Gemm(DType.F32), x(1, 4096), fp4)))
                .returns(4 * copies + sums + 8 * 32 + 16 * (128 + 4), Launched::sharedBytes);
    }

    @Test
    void manyRowsAreTiled() {
        OpInstance gemm = instance(new Gemm(DType.BF16), x(17, 1024), w(32768, 1024));
        OpInstance grouped = instance(new GroupedGemm(DType.BF16), bf16(130, 8, 4096), w(8, 1024, 4096));
        assertThat(launch(gemm).function()).isEqualTo("gemm_wgmma64_f8_e4m3_f8_e4m3");
        assertThat(launch(gemm).grid()).isEqualTo(new Grid(1, 256, 1));
        assertThat(launch(grouped).function()).isEqualTo("gemm_wgmma128_bf16_f8_e4m3");
        assertThat(launch(grouped).grid()).isEqualTo(new Grid(2, 8, 8));
        assertThat(launch(gemm, A100, 0).function()).isEqualTo("gemm_tile_f8_e4m3_f8_e4m3");
        assertThat(launch(gemm, A100, 0).grid()).isEqualTo(new Grid(1, 128, 1));
        assertThat(launch(grouped, A100, 0).grid()).isEqualTo(new Grid(3, 4, 8));
    }

    /** Where tiles would be few, up to the number of tokens from which reading the weights anew for 32 takes longer. */
    @Test
    void tilesThatWouldLeaveMostOfTheDeviceIdleAreCutSmaller() {
        Launched some = launch(instance(new Gemm(DType.BF16), x(17, 8192), w(4096, 8192)));
        assertThat(some.function()).isEqualTo("gemm_rounds_f8_e4m3_f8_e4m3");
        assertThat(some.grid()).isEqualTo(new Grid(1, 128, 1));
        assertThat(some.sharedBytes()).isEqualTo(8 * (4 * 8 * 512 + 2 * 32 * 32 * Float.BYTES) + 33 * 64);
        Launched floats = launch(instance(new GroupedGemm(DType.BF16), bf16(64, 2, 4096), w(2, 1024, 4096)));
        assertThat(floats.function()).isEqualTo("gemm_rounds_bf16_f8_e4m3");
        assertThat(floats.grid()).isEqualTo(new Grid(2, 32, 2));
        assertThat(floats.sharedBytes()).isEqualTo(8 * (3 * 12 * 512 + 2 * 32 * 32 * Float.BYTES) + 33 * 32);
        assertThat(launch(instance(new Gemm(DType.BF16), x(96, 8192), w(4096, 8192)))
                        .function())
                .isEqualTo("gemm_rounds_f8_e4m3_f8_e4m3");
        assertThat(launch(instance(new GroupedGemm(DType.BF16), bf16(32, 8, 4096), w(8, 1024, 4096)))
                        .function())
                .isEqualTo("gemm_wgmma64_bf16_f8_e4m3");
        assertThat(launch(instance(new Gemm(DType.BF16), x(40, 160), w(6500, 160)))
                        .function())
                .isEqualTo("gemm_wgmma64_f8_e4m3_f8_e4m3");
        assertThat(launch(instance(new Gemm(DType.BF16), bf16(17, 4096), bf16(256, 4096)))
                        .function())
                .isEqualTo("gemm_wgmma64_bf16_bf16");
    }

    /** Tiles of 64 tokens, until they would take turns on multiprocessors. */
    @Test
    void tilesAreWideWhereNarrowOnesWouldNotAllRunAtOnce() {
        for (int tokens : new int[] {97, 256}) {
            Launched narrow = launch(instance(new Gemm(DType.BF16), x(tokens, 8192), w(4096, 8192)));
            assertThat(narrow.function()).isEqualTo("gemm_wgmma64_f8_e4m3_f8_e4m3");
            assertThat(narrow.grid()).isEqualTo(new Grid(Math.ceilDiv(tokens, 64), 32, 1));
        }
        Launched wide = launch(instance(new Gemm(DType.BF16), x(257, 8192), w(4096, 8192)));
        assertThat(wide.function()).isEqualTo("gemm_wgmma128_f8_e4m3_f8_e4m3");
        assertThat(wide.grid()).isEqualTo(new Grid(3, 32, 1));
    }

    /** An image for all chips of compute capability 9.0, or PTX, has a trap in the place of products of warpgroups. */
    @Test
    void imagesWithoutProductsOfWarpgroupsAreNotAskedForThem() {
        OpInstance gemm = instance(new Gemm(DType.BF16), x(17, 1024), w(32768, 1024));
        assertThat(launch(gemm, H200, 0, false).function()).isEqualTo("gemm_tile_f8_e4m3_f8_e4m3");
    }

    @Test
    void sumsOfTooManyBlocksDoNotFit() {
        Launched deep = launch(instance(new Gemm(DType.BF16), bf16(1, 1 << 16), bf16(256, 1 << 16)));
        assertThat(deep.function()).isEqualTo("gemm_wgmma64_bf16_bf16");
    }

    @Test
    void expertsHaveBlocksForTheWorstCase() {
        TensorType experts = new TensorType(DType.F4_E2M1, Shape.of(256, 2048, 4096), Scaling.MXFP4);
        TensorType offsets = TensorType.of(DType.I32, 257);
        Launched few = launch(instance(new ExpertGemm(DType.BF16), x(6, 4096), experts, offsets));
        assertThat(few.function()).isEqualTo("gemm_decode32_f8_e4m3_f4_e2m1");
        assertThat(few.grid()).isEqualTo(new Grid(6, 64, 1));
        Launched many = launch(instance(new ExpertGemm(DType.BF16), x(6 * 4096, 4096), experts, offsets));
        assertThat(many.function()).isEqualTo("gemm_wgmma128_f8_e4m3_f4_e2m1");
        assertThat(many.grid()).isEqualTo(new Grid(192 + 256, 16, 1));
    }

    /** As on the variant {@code fp8}. */
    private static Launched fewerBits(OpInstance op, long offset, boolean hasOwnFeatures) {
        Way way = requireNonNull(Fp8Gemm.WAYS.get(op.op().getClass()));
        assertThat(way.refusal().of(op, H200)).isEmpty();
        return launch(way, op, H200, offset, hasOwnFeatures);
    }

    /** Tokens, scales and weights of four blocks of K, those of FP4 half as long; at most 64 tokens a block leave room for two. */
    @ParameterizedTest
    @CsvSource({
        "17, F8_E4M3, gemm_fp8_64_f8_e4m3_f8_e4m3, 1, 100_008",
        "64, F4_E2M1, gemm_fp8_64_f8_e4m3_f4_e2m1, 1, 67_240",
        "65, F8_E4M3, gemm_fp8_128_f8_e4m3_f8_e4m3, 1, 133_288",
        "4096, F4_E2M1, gemm_fp8_128_f8_e4m3_f4_e2m1, 32, 100_520",
    })
    void manyTokensOnFp8Units(int tokens, DType weights, String function, int tiles, int sharedBytes) {
        Scaling scaling = weights == DType.F4_E2M1 ? Scaling.MXFP4 : Scaling.FP8_BLOCK_128;
        TensorType w = new TensorType(weights, Shape.of(24_576, 1536), scaling);
        assertThat(fewerBits(instance(new Gemm(DType.BF16), x(tokens, 1536), w), 0, true))
                .isEqualTo(new Launched(function, new Grid(tiles, 192, 1), sharedBytes));
    }

    /** Flash's routed experts: the tile follows the tokens that an expert has on average. */
    @ParameterizedTest
    @CsvSource({
        "2048, gemm_decode32_f8_e4m3_f4_e2m1",
        "2049, gemm_fp8_64_f8_e4m3_f4_e2m1",
        "16384, gemm_fp8_64_f8_e4m3_f4_e2m1",
        "24576, gemm_fp8_128_f8_e4m3_f4_e2m1",
    })
    void expertsOnFp8Units(int rows, String function) {
        TensorType experts = new TensorType(DType.F4_E2M1, Shape.of(256, 2048, 4096), Scaling.MXFP4);
        OpInstance op = instance(new ExpertGemm(DType.BF16), x(rows, 4096), experts, TensorType.of(DType.I32, 257));
        Way way = requireNonNull(Fp8Gemm.WAYS.get(ExpertGemm.class));
        assertThat(launch(way, op, H200, 0, true).function()).isEqualTo(function);
        assertThat(way.refusal().of(op, H200).isPresent()).isEqualTo(rows == 2048); // nor is it asked for so few
    }

    @Test
    void whatFp8UnitsDoNotTakeRunsAsOnTheDevice() {
        OpInstance op = instance(new Gemm(DType.BF16), x(4096, 1024), w(256, 1024));
        assertThat(fewerBits(op, 8, true).function()).isEqualTo("gemm_simple");
        assertThatThrownBy(() -> fewerBits(op, 0, false))
                .isInstanceOf(UnsupportedOpException.class)
                .hasMessageContaining("image of the kernels 'gemm_fp8': found none for sm_90a");
    }

    @Test
    void rowsThatAreNotWholeVectorsAreLeftToTheSimpleKernel() {
        OpInstance op = instance(new Gemm(DType.BF16), x(1, 1024), w(256, 1024));
        assertThat(launch(op, H200, 8).function()).isEqualTo("gemm_simple");
    }

    @Test
    void refusalsNameTheReason() {
        assertThat(refusal(instance(new Gemm(DType.F32), TensorType.of(DType.F32, 1, 64), bf16(16, 64)), H200))
                .isEqualTo("x is F32: tensor cores would round it");
        assertThat(refusal(instance(new Gemm(DType.F32), bf16(1, 33), bf16(16, 33)), H200))
                .isEqualTo("K 33 is not a positive multiple of 32");
        Chip turing = new Chip(75, 40, 65_536, 4L << 20);
        assertThat(refusal(instance(new Gemm(DType.F32), bf16(1, 64), bf16(16, 64)), turing))
                .isEqualTo("compute capability 7.5: tensor cores take BF16 from 8.0 on");
    }

    private static String refusal(OpInstance op, Chip chip) {
        return fast(op).refusal().of(op, chip).orElseThrow();
    }
}
