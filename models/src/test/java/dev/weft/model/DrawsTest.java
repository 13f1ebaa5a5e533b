package dev.weft.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.RequestException;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What steps are asked to draw, by the host. */
class DrawsTest {
    private static final int VOCABULARY = 97;

    private static float[] logits(int rows) {
        SplittableRandom random = new SplittableRandom(rows);
        float[] logits = new float[rows * VOCABULARY];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) (4 * random.nextDouble() - 2);
        }
        return logits;
    }

    @ParameterizedTest
    @CsvSource({"0, 1", "1, 1", "0.7, 0.8"})
    void aStepDrawsWhatTheSamplerWouldChoose(float temperature, float topP) {
        int rows = 40;
        float[] logits = logits(rows);
        Sampling sampling = Sampling.random(temperature, topP, rows, 5);
        TokenSampler chooses = new TokenSampler(sampling);
        TokenSampler asks = new TokenSampler(sampling);
        assertThat(asks.isPlain()).isTrue();
        Draws draws = new Draws();
        int[] chosen = new int[rows];
        int[] drawn = new int[rows];
        for (int row = 0; row < rows; row++) {
            float[] one = Arrays.copyOfRange(logits, row * VOCABULARY, (row + 1) * VOCABULARY);
            chosen[row] = chooses.next(one);
            draws.skipAll(1, one);
            draws.clear();
            asks.ask(draws);
            draws.drawOnHost(VOCABULARY);
            drawn[row] = draws.token(0);
            asks.accept(drawn[row]);
        }
        assertThat(drawn).containsExactly(chosen);
    }

    @Test
    void rowsTogetherAreDrawnAsEachAlone() {
        int rows = 200;
        float[] logits = logits(rows);
        Draws together = new Draws();
        together.skipAll(rows, logits);
        together.clear();
        Draws alone = new Draws();
        int[] expected = new int[rows];
        SplittableRandom random = new SplittableRandom(9);
        for (int row = 0; row < rows; row++) {
            float temperature = row % 3 * 0.5f;
            float uniform = (random.nextLong() >>> 40) * 0x1p-24f;
            if (row % 7 == 6) {
                together.skip();
                continue;
            }
            together.add(temperature, 0.9f, uniform);
            alone.skipAll(1, Arrays.copyOfRange(logits, row * VOCABULARY, (row + 1) * VOCABULARY));
            alone.clear();
            alone.add(temperature, 0.9f, uniform);
            alone.drawOnHost(VOCABULARY);
            expected[row] = alone.token(0);
        }
        together.drawOnHost(VOCABULARY);
        int[] drawn = new int[rows];
        for (int row = 0; row < rows; row++) {
            drawn[row] = row % 7 == 6 ? 0 : together.token(row);
        }
        assertThat(drawn).containsExactly(expected);
    }

    @Test
    void aDrawIsTheSameUntilItsTokenIsTaken() {
        TokenSampler sampler = new TokenSampler(Sampling.random(1, 1, 3, 5));
        Draws draws = new Draws();
        sampler.ask(draws);
        sampler.ask(draws);
        sampler.accept(3);
        sampler.ask(draws);
        assertThat(draws.uniforms()[0]).isEqualTo(draws.uniforms()[1]).isNotEqualTo(draws.uniforms()[2]);
        assertThat(draws.uniforms()[2] * 0x1p24 % 1).as("24 bits").isZero();
    }

    @Test
    void skippedRowsKeepTheirPlace() {
        float[] logits = logits(3);
        Draws draws = new Draws();
        draws.skipAll(3, logits);
        draws.clear();
        draws.skip();
        draws.add(0, 1, 0);
        draws.skip();
        assertThat(draws.hasDrawn()).isTrue();
        assertThat(draws.hasSkipped()).isTrue();
        draws.drawOnHost(VOCABULARY);
        assertThat(draws.token(1)).isEqualTo(TokenSampler.argmax(logits, VOCABULARY, VOCABULARY));
        assertThat(draws.roomForLogits(VOCABULARY)).isSameAs(logits);
    }

    /** As {@link dev.weft.op.Sample} says. */
    @ParameterizedTest
    @CsvSource({
        "'NaN,-Infinity,-Infinity', 0, 0.9, 0",
        "'NaN,-Infinity,-Infinity', 1, 0.9, 0",
        "'NaN,Infinity,NaN', 0, 0.9, 0",
        "'NaN,Infinity,NaN', 1, 0.9, 0",
        "'Infinity,Infinity,Infinity', 1, 0.9, 0",
        "'0,Infinity,Infinity', 0, 0.9, 1",
        "'0,Infinity,Infinity', 1, 0.1, 1",
        "'0,Infinity,Infinity', 1, 0.9, 2",
        "'NaN,3,-Infinity', 1, 0.9, 1"
    })
    void rowsThatAreNotFinite(String row, float temperature, float uniform, int expected) {
        float[] logits = new float[3];
        String[] values = row.split(",");
        for (int i = 0; i < 3; i++) {
            logits[i] = Float.parseFloat(values[i]);
        }
        Draws draws = new Draws();
        draws.skipAll(1, logits);
        draws.clear();
        draws.add(temperature, 1, uniform);
        draws.drawOnHost(3);
        assertThat(draws.token(0)).isEqualTo(expected);
        if (temperature == 0) {
            assertThat(new TokenSampler(Sampling.greedy(1)).next(logits)).isEqualTo(expected);
        }
    }

    @Test
    void whatNoStepHasBroughtIsRefused() {
        Draws draws = new Draws();
        draws.skip();
        draws.add(0, 1, 0);
        assertThatThrownBy(() -> draws.token(1)).isInstanceOf(RequestException.class);
        assertThatThrownBy(draws::logits).isInstanceOf(RequestException.class);
        draws.roomForLogits(VOCABULARY);
        draws.drawOnHost(VOCABULARY);
        assertThat(draws.token(1)).isZero();
        assertThat(draws.logits()).hasSize(2 * VOCABULARY);
        assertThatThrownBy(() -> draws.token(0))
                .isInstanceOf(RequestException.class)
                .hasMessage("draws: found no token of row 0 of 2, expected one that was added and drawn by a step");
        assertThatThrownBy(() -> draws.token(2)).isInstanceOf(RequestException.class);
        draws.clear();
        draws.add(0, 1, 0);
        draws.drawOnHost(VOCABULARY);
        assertThatThrownBy(draws::logits).isInstanceOf(RequestException.class);
        draws.skip();
        assertThatThrownBy(() -> draws.token(0)).as("of another step").isInstanceOf(RequestException.class);
    }

    @Test
    void onlyPlainSettingsAreAskedFor() {
        TokenSampler sampler = new TokenSampler(Sampling.random(1, 1, 1, 1).keeping(5, 0));
        assertThatThrownBy(() -> sampler.ask(new Draws()))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("skip the row");
    }

    @Test
    void furtherSettingsNeedTheLogits() {
        Sampling plain = Sampling.random(1, 0.9f, 1, 1);
        assertThat(new TokenSampler(plain.keeping(5, 0)).isPlain()).isFalse();
        assertThat(new TokenSampler(plain.keeping(0, 0.1f)).isPlain()).isFalse();
        assertThat(new TokenSampler(plain.penalising(1, 0.5f, 0)).isPlain()).isFalse();
    }

    @Test
    void whatIsNoDrawIsRefused() {
        Draws draws = new Draws();
        assertThatThrownBy(() -> draws.add(-1, 1, 0))
                .isInstanceOf(RequestException.class)
                .hasMessage("sampling: found temperature -1.0, expected 0 or more");
        assertThatThrownBy(() -> draws.add(1, 0, 0)).hasMessageContaining("topP 0.0");
        assertThatThrownBy(() -> draws.add(1, 1, 1)).hasMessageContaining("uniform 1.0");
        assertThatThrownBy(() -> draws.add(1, 1, Float.NaN)).hasMessageContaining("uniform NaN");
        assertThat(draws.rows()).isZero();
    }
}
