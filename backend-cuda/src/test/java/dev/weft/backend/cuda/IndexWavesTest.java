package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.TensorType;
import dev.weft.conformance.Data;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Operand;
import dev.weft.conformance.Outcome;
import dev.weft.op.LightningIndex;
import dev.weft.spi.BackendDevice;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Page lists so long that the scores of a few rows fill the scratch memory: rows are then indexed in waves. */
@Tag("long")
class IndexWavesTest {
    private static final int ROWS = 5;
    private static final int PER_PAGE = 4;
    private static final int RATIO = 4;
    private static final int FIRST_POSITION = 198;
    private static final int LISTED_PAGES = 1 << 21;

    @Test
    void rowsOfLaterWavesArePickedForAsThoseOfTheFirst() {
        int usedPages = (FIRST_POSITION + ROWS) / RATIO / PER_PAGE + 1;
        int[] positions = new int[ROWS];
        Arrays.setAll(positions, i -> FIRST_POSITION + i);
        int[] pages = new int[LISTED_PAGES];
        Arrays.setAll(pages, i -> i < usedPages ? i : -1);
        OpCase call = OpCase.of(
                new LightningIndex(7, RATIO),
                Operand.random(DType.BF16, ROWS, 2, 128),
                Operand.random(DType.BF16, ROWS, 2),
                Operand.random(DType.BF16, usedPages, PER_PAGE, 128),
                Operand.ints(positions, ROWS),
                Operand.ints(new int[] {0, ROWS}, 2),
                Operand.ints(pages, 1, LISTED_PAGES));
        check(call);
    }

    /** Entries of three parts, of which blocks choose for themselves first; many have the score at which the choice ends. */
    @ParameterizedTest
    @ValueSource(ints = {40_000, 32_768, 16_385})
    void picksAmongMoreEntriesThanABlockTakes(int entries) {
        int perPage = 128;
        int listed = Math.ceilDiv(40_000, perPage);
        int last = RATIO * entries - 1;
        TensorType keys = TensorType.of(DType.BF16, listed, perPage, 128);
        check(OpCase.of(
                new LightningIndex(300, RATIO),
                Operand.of(TensorType.of(DType.BF16, 2, 2, 128), Data.ints(0, 2)),
                Operand.of(TensorType.of(DType.BF16, 2, 2), Data.ints(1, 3)),
                Operand.of(keys, Data.ints(-1, 2)),
                Operand.ints(new int[] {last - 1, last}, 2),
                Operand.ints(new int[] {0, 2}, 2),
                Operand.ints(IntStream.range(0, listed).toArray(), 1, listed)));
    }

    private static void check(OpCase call) {
        try (Emulator emulator = Emulator.start();
                CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(DeviceId.parse("cuda:0"))) {
            assertThat(OpRunner.run(device, call)).isEqualTo(new Outcome.Passed());
        }
    }
}
