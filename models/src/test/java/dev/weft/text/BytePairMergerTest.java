package dev.weft.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BytePairMergerTest {
    private static final int[] BYTE_IDS = IntStream.range(0, 256).toArray();

    /** The definition: merge the leftmost pair of the lowest rank until none is left. */
    private static int[] slowly(byte[] piece, MergeTable merges) {
        List<Integer> symbols = new ArrayList<>();
        for (byte value : piece) {
            symbols.add(value & 0xFF);
        }
        while (true) {
            int best = MergeTable.NONE;
            int position = -1;
            for (int i = 0; i + 1 < symbols.size(); i++) {
                int rank = merges.rank(symbols.get(i), symbols.get(i + 1));
                if (rank != MergeTable.NONE && (best == MergeTable.NONE || rank < best)) {
                    best = rank;
                    position = i;
                }
            }
            if (best == MergeTable.NONE) {
                return symbols.stream().mapToInt(Integer::intValue).toArray();
            }
            symbols.set(position, merges.result(best));
            symbols.remove(position + 1);
        }
    }

    private static int[] encode(byte[] piece, MergeTable merges) {
        IntList ids = new IntList();
        new BytePairMerger(BYTE_IDS, merges).encode(piece, ids);
        return ids.toArray();
    }

    @Test
    void agreesWithTheDefinitionOnRandomMerges() {
        Random random = new Random(11);
        for (int round = 0; round < 2000; round++) {
            MergeTable merges = new MergeTable(12);
            List<Integer> symbols = new ArrayList<>(List.of(0, 1, 2));
            for (int rank = 0; rank < 12; rank++) {
                int left = symbols.get(random.nextInt(symbols.size()));
                int right = symbols.get(random.nextInt(symbols.size()));
                // Results may repeat and may feed merges of lower rank.
                int result = random.nextBoolean() ? 256 + rank : 256 + random.nextInt(12);
                if (merges.add(left, right, result) == MergeTable.NONE) {
                    symbols.add(result);
                }
            }
            byte[] piece = new byte[random.nextInt(40)];
            for (int i = 0; i < piece.length; i++) {
                piece[i] = (byte) random.nextInt(3);
            }
            assertThat(encode(piece, merges)).isEqualTo(slowly(piece, merges));
        }
    }

    @Test
    void refusesAPairTwice() {
        MergeTable merges = new MergeTable(3);
        assertThat(merges.add(1, 2, 3)).isEqualTo(MergeTable.NONE);
        assertThat(merges.add(2, 1, 4)).isEqualTo(MergeTable.NONE);
        assertThat(merges.add(1, 2, 5)).isZero();
        assertThat(merges.rank(1, 2)).isZero();
        assertThat(merges.rank(2, 1)).isEqualTo(1);
        assertThat(merges.rank(2, 2)).isEqualTo(MergeTable.NONE);
        assertThat(merges.result(1)).isEqualTo(4);
    }

    @Test
    void encodesAMebibyteOfOneByteThroughTwentyMerges() {
        MergeTable merges = new MergeTable(20);
        merges.add('a', 'a', 256);
        for (int rank = 1; rank < 20; rank++) {
            merges.add(255 + rank, 255 + rank, 256 + rank);
        }
        byte[] piece = new byte[1 << 20];
        Arrays.fill(piece, (byte) 'a');
        int[] ids = assertTimeoutPreemptively(Duration.ofSeconds(30), () -> encode(piece, merges));
        assertThat(ids).containsExactly(275);
    }
}
