package dev.weft.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.RequestException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TokenSamplerTest {
    private static final int N = 40;

    private static float[] logits(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] logits = new float[N];
        for (int i = 0; i < N; i++) {
            logits[i] = (float) random.nextGaussian() * 2;
        }
        logits[3] = logits[30]; // equal ones exist
        return logits;
    }

    /** Probabilities by the definition, with every limit. */
    private static double[] expected(float[] logits, Sampling s) {
        double[] w = new double[logits.length];
        double max =
                IntStream.range(0, w.length).mapToDouble(i -> logits[i]).max().orElseThrow();
        for (int i = 0; i < w.length; i++) {
            w[i] = Math.exp((logits[i] - max) / s.temperature());
        }
        Integer[] order = IntStream.range(0, w.length).boxed().toArray(Integer[]::new);
        Arrays.sort(order, Comparator.comparingDouble((Integer i) -> -w[i]).thenComparingInt(i -> i));
        double total = Arrays.stream(w).sum();
        double[] p = new double[w.length];
        double mass = 0;
        for (int rank = 0; rank < w.length; rank++) {
            int id = order[rank];
            boolean kept =
                    rank == 0 || ((s.topK() == 0 || rank < s.topK()) && mass < s.topP() * total && w[id] >= s.minP());
            if (!kept) {
                break;
            }
            mass += w[id];
            p[id] = w[id];
        }
        for (int i = 0; i < p.length; i++) {
            p[i] /= mass;
        }
        return p;
    }

    @Test
    void limitsKeepTheMostLikelyTokens() {
        for (int round = 0; round < 200; round++) {
            float[] logits = logits(round);
            Sampling s = Sampling.random(0.3f + round % 7 * 0.3f, round % 3 == 0 ? 1 : 0.3f + round % 5 * 0.1f, 1, 0)
                    .keeping(round % 4 * 5, round % 2 * 0.1f);
            double[] p = expected(logits, s);
            TokenDistribution d = new TokenDistribution();
            d.set(logits, 0, N, s);
            double cumulated = 0;
            for (int i = 0; i < N; i++) {
                assertThat(d.probability(i)).as(s + ", token " + i).isCloseTo(p[i], within(1e-12));
            }
            Integer[] order = IntStream.range(0, N).boxed().toArray(Integer[]::new);
            Arrays.sort(order, Comparator.comparingDouble((Integer i) -> -p[i]).thenComparingInt(i -> i));
            for (int rank = 0; rank < N && p[order[rank]] > 0; rank++) {
                double middle = cumulated + p[order[rank]] / 2;
                assertThat(d.draw(middle)).as(s + " at " + middle).isEqualTo(order[rank]);
                cumulated += p[order[rank]];
            }
        }
    }

    private static org.assertj.core.data.Offset<Double> within(double by) {
        return org.assertj.core.data.Offset.offset(by);
    }

    @Test
    void temperatureZeroTakesTheFirstOfTheLargestAndNeverNan() {
        float[] logits = {Float.NaN, 1, 5, 5, Float.NEGATIVE_INFINITY};
        assertThat(new TokenSampler(Sampling.greedy(1)).next(logits)).isEqualTo(2);
        assertThat(new TokenSampler(Sampling.random(1e-3f, 1, 1, 1)).next(logits))
                .isIn(2, 3);
        Arrays.fill(logits, Float.NaN);
        assertThat(new TokenSampler(Sampling.random(1, 1, 1, 1)).next(logits)).isZero();
    }

    @Test
    void biasAndPenaltiesChangeTheChoice() {
        float[] logits = {1, 2, 3, -1};
        Sampling greedy = Sampling.greedy(1);
        assertThat(new TokenSampler(greedy.bias(Map.of(3, 10f))).next(logits)).isEqualTo(3);
        assertThat(new TokenSampler(greedy.bias(Map.of(2, Float.NEGATIVE_INFINITY))).next(logits))
                .isEqualTo(1);

        TokenSampler presence = new TokenSampler(greedy.penalising(1, 1.5f, 0));
        assertThat(new int[] {presence.next(logits), presence.next(logits), presence.next(logits)})
                .containsExactly(2, 1, 2);

        TokenSampler frequency = new TokenSampler(greedy.penalising(1, 0, 0.75f));
        int[] chosen = IntStream.range(0, 6).map(i -> frequency.next(logits)).toArray();
        assertThat(chosen).containsExactly(2, 2, 1, 2, 1, 0);

        TokenSampler repetition = new TokenSampler(greedy.penalising(4, 0, 0));
        repetition.prompt(2, 3);
        assertThat(repetition.next(logits)).as("3 / 4 is less than 2").isEqualTo(1);
        assertThat(repetition.next(logits))
                .as("2 / 4 as well, and 3 / 4 less than 1")
                .isZero();
    }

    @Test
    void equalSeedsGiveEqualTokens() {
        float[] logits = logits(1);
        int[][] drawn = new int[3][];
        for (int i = 0; i < 3; i++) {
            TokenSampler sampler = new TokenSampler(Sampling.random(1, 0.9f, 1, i / 2));
            drawn[i] = IntStream.range(0, 50).map(j -> sampler.next(logits)).toArray();
        }
        assertThat(drawn[0]).isEqualTo(drawn[1]).isNotEqualTo(drawn[2]);
    }

    /** Proposals of quite another distribution do not change the distribution; taking them as they are would. */
    @Test
    void speculationKeepsTheDistribution() {
        Sampling s = Sampling.random(1, 0.95f, 1, 11).keeping(30, 0);
        float[] model = logits(100);
        float[] draft = logits(101);
        double[] p = expected(model, s);
        TokenSampler sampler = new TokenSampler(s);
        int draws = 200_000;
        int[] verified = new int[N];
        int[] proposed = new int[N];
        int kept = 0;
        for (int i = 0; i < draws; i++) {
            int guess = sampler.propose(draft, 0, N, null);
            int token = sampler.verify(model, 0, N, null);
            proposed[guess]++;
            verified[token]++;
            kept += guess == token ? 1 : 0;
        }
        double[] q = expected(draft, s);
        double overlap =
                IntStream.range(0, N).mapToDouble(i -> Math.min(p[i], q[i])).sum();
        assertThat(kept / (double) draws).as("share kept").isCloseTo(overlap, within(0.01));
        int freedom = (int) Arrays.stream(p).filter(v -> v > 0).count() - 1;
        // chi-square has mean f and variance 2 f
        double most = freedom + 5 * Math.sqrt(2 * freedom);
        assertThat(chiSquare(verified, p, draws)).isLessThan(most);
        assertThat(chiSquare(proposed, p, draws)).isGreaterThan(10 * most);
    }

    private static double chiSquare(int[] counts, double[] p, int draws) {
        double sum = 0;
        for (int i = 0; i < counts.length; i++) {
            double e = p[i] * draws;
            sum += e > 0 ? (counts[i] - e) * (counts[i] - e) / e : counts[i];
        }
        return sum;
    }

    @Test
    void settingsOutsideTheirRangeAreRefused() {
        assertThatThrownBy(() -> Sampling.random(Float.NaN, 1, 1, 0))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("temperature NaN");
        assertThatThrownBy(() -> Sampling.random(1, 0, 1, 0)).hasMessageContaining("topP 0.0");
        assertThatThrownBy(() -> Sampling.greedy(1).keeping(-1, 0)).hasMessageContaining("topK -1");
        assertThatThrownBy(() -> Sampling.greedy(1).keeping(0, 1.5f)).hasMessageContaining("minP 1.5");
        assertThatThrownBy(() -> Sampling.greedy(1).penalising(0, 0, 0)).hasMessageContaining("repetitionPenalty 0.0");
        assertThatThrownBy(() -> Sampling.greedy(1).penalising(1, Float.NaN, 0))
                .hasMessageContaining("presencePenalty");
        assertThatThrownBy(() -> Sampling.greedy(1).bias(Map.of(-1, 1f))).hasMessageContaining("bias of token -1");
        assertThatThrownBy(() -> Sampling.greedy(1).bias(Map.of(1, Float.NaN))).hasMessageContaining("NaN");
        assertThatThrownBy(() -> Sampling.greedy(1).logprobs(101)).hasMessageContaining("logprobs 101");
        assertThatThrownBy(() -> Sampling.greedy(-1)).hasMessageContaining("maxTokens -1");
    }
}
