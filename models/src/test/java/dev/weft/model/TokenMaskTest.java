package dev.weft.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sets of tokens, and drawing from them. */
class TokenMaskTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 63, 64, 65, 200, 1000})
    void equalsASetOfIds(int size) {
        SplittableRandom random = new SplittableRandom(size);
        for (int percent : new int[] {0, 1, 50, 99, 100}) {
            TreeSet<Integer> ids = new TreeSet<>();
            TokenMask mask = new TokenMask(size);
            for (int id = 0; id < size; id++) {
                if (random.nextInt(100) < percent) {
                    ids.add(id);
                    mask.allow(id);
                }
            }
            assertThat(mask.count()).isEqualTo(ids.size());
            assertThat(mask.first()).isEqualTo(ids.isEmpty() ? -1 : ids.first());
            float[] logits = new float[size];
            mask.apply(logits);
            for (int id = 0; id < size; id++) {
                assertThat(mask.isAllowed(id)).isEqualTo(ids.contains(id));
                assertThat(logits[id]).isEqualTo(ids.contains(id) ? 0 : Float.NEGATIVE_INFINITY);
            }
            assertThat(mask.isAllowed(-1)).isFalse();
            assertThat(mask.isAllowed(size)).isFalse();
            mask.allowAll();
            assertThat(mask.count()).isEqualTo(size);
            mask.forbid(size - 1);
            assertThat(mask.count()).isEqualTo(size - 1);
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {0, 0.7f})
    void onlyAllowedTokensAreDrawn(float temperature) {
        TokenSampler sampler =
                new TokenSampler(Sampling.random(temperature, 0.9f, 1, 1).penalising(1.1f, temperature, 0));
        TokenMask mask = new TokenMask(100);
        mask.allow(17);
        mask.allow(60);
        float[] logits = new float[100];
        logits[3] = 9;
        logits[60] = 1;
        float[] before = logits.clone();
        int[] drawn = new int[100];
        for (int i = 0; i < 50; i++) {
            drawn[sampler.next(logits, 0, 100, mask)]++;
        }
        assertThat(drawn[17] + drawn[60]).isEqualTo(50);
        assertThat(drawn[60]).isPositive();
        assertThat(logits).isEqualTo(before);
        for (float worst : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
            Arrays.fill(logits, worst);
            logits[5] = 2;
            assertThat(sampler.next(logits, 0, 100, mask)).isEqualTo(17);
        }
    }
}
