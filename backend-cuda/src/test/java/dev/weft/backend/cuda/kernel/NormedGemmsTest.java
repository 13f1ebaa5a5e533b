package dev.weft.backend.cuda.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.op.Gemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Quantize;
import dev.weft.op.RmsNorm;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.NodeGroup;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Rows of weights of blocks that norm and quantise one token of 1024 values themselves. */
class NormedGemmsTest {
    private static final Path RESOURCES = Path.of("../native/cuda/resources.tsv");
    private static final long ALIGNED = 1L << 40;
    private static final long K = 1024;

    /** So many multiprocessors have two blocks of 32 rows each, or one. */
    private static final int FEW = 2;

    private static final int MANY = 4;
    private static final long OUTPUTS = 4 * 32;

    private static final int CODES = (int) K + 16;
    private static final int COPIES_OF_8_ROWS = 256 * 3 * 16;
    private static final int SUMS_OF_4_ROWS = 8 * 8 * 4 * Float.BYTES;
    private static final int SCALES = 8 * (8 + 1);
    private static final int TALL = CODES + 4 * COPIES_OF_8_ROWS + 9 * SUMS_OF_4_ROWS + SCALES;
    private static final int SHORT = CODES + 2 * COPIES_OF_8_ROWS + 5 * SUMS_OF_4_ROWS + SCALES;

    private record Launched(String function, long blocks, int sharedBytes) {}

    private record Member(OpInstance op, KernelArguments arguments, Chip chip) implements Emit {
        @Override
        public boolean hasOwnFeatures(String module) {
            return true;
        }

        @Override
        public void launch(String module, String function, Grid grid, int threads, int sharedBytes, long... words) {
            throw new AssertionError(function + " is launched for one member");
        }

        @Override
        public void call(StreamCall call) {
            throw new AssertionError("another library is called");
        }
    }

    private record Recorder(List<Member> members, List<Launched> launches) implements GroupEmit {
        @Override
        public Emit member(int i) {
            return members.get(i);
        }

        @Override
        public void alone(int i) {
            throw new AssertionError("member " + i + " runs alone");
        }

        @Override
        public void launch(String module, String function, Grid grid, int threads, int sharedBytes, List<Part> parts) {
            launches.add(new Launched(function, grid.x(), sharedBytes));
        }
    }

    private static Launched launch(int multiprocessors, int sharedBytes) {
        TensorType x = TensorType.of(DType.BF16, 1, K);
        TensorType norm = TensorType.of(DType.BF16, K);
        TensorType codes = new TensorType(DType.F8_E4M3, Shape.of(1, K), Scaling.FP8_GROUP_128);
        TensorType w = new TensorType(DType.F8_E4M3, Shape.of(OUTPUTS, K), Scaling.FP8_BLOCK_128);
        TensorType y = TensorType.of(DType.BF16, 1, OUTPUTS);
        NodeGroup group = new NodeGroup(
                List.of(
                        member(new RmsNorm(1e-6f), List.of(x, norm), 0, 1, 2),
                        member(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), List.of(x), 2, 3),
                        member(new Gemm(DType.BF16), List.of(codes, w), 3, 4, 5)),
                List.of(x, norm, x, codes, w, y),
                List.of(0, 1, 2, 3, 4, 5),
                Set.of(2, 3));
        Chip chip = new Chip(90, multiprocessors, sharedBytes, 60L << 20);
        try (Arena arena = Arena.ofConfined()) {
            List<Member> members = group.members().stream()
                    .map(m -> new Member(m.instance(), arguments(m.instance(), arena), chip))
                    .toList();
            Recorder recorder = new Recorder(members, new ArrayList<>());
            NormedGemms.of(group).orElseThrow().emit(recorder);
            assertThat(recorder.launches()).hasSize(1);
            return recorder.launches().getFirst();
        }
    }

    private static NodeGroup.Member member(Op op, List<TensorType> operands, Integer... values) {
        return new NodeGroup.Member(OpInstance.of(op, operands), List.of(values));
    }

    private static KernelArguments arguments(OpInstance op, Arena arena) {
        KernelArguments arguments = new KernelArguments(op.all(), arena);
        for (int i = 0; i < arguments.count(); i++) {
            arguments.bind(i, ALIGNED, ALIGNED);
        }
        return arguments;
    }

    @Test
    void fewerRowsOfWeightsWhereMultiprocessorsWouldNotHaveASecondBlock() {
        assertThat(launch(FEW, 100_000)).isEqualTo(new Launched("gemm_normed32", 4, TALL));
        assertThat(launch(MANY, 100_000)).isEqualTo(new Launched("gemm_normed16", 8, SHORT));
    }

    @Test
    void fewerRowsOfWeightsWhereMoreDoNotFitBesideWhatTheKernelHas() {
        assertThat(launch(FEW, TALL + 1024)).isEqualTo(new Launched("gemm_normed32", 4, TALL));
        assertThat(launch(FEW, TALL + 1023)).isEqualTo(new Launched("gemm_normed16", 8, SHORT));
    }

    /** What the kernels have of their own is what the compiler gave them. */
    @Test
    void theCompilerGaveTheKernelsNoMore() throws IOException {
        assertThat(Files.readAllLines(RESOURCES))
                .map(line -> line.split("\t"))
                .filteredOn(cells -> cells[0].startsWith("gemm_normed/"))
                .isNotEmpty()
                .allSatisfy(cells -> assertThat(Integer.parseInt(cells[3]))
                        .as(cells[0] + " " + cells[1])
                        .isLessThanOrEqualTo(NormedGemms.STATIC_BYTES));
    }
}
