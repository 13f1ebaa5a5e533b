package dev.weft.model;

import dev.weft.RequestException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;

/**
 * What a step is to choose from the logits of its wanted rows, one after another in the order of the feeds, and what it chose: a
 * token by the rule of {@link dev.weft.op.Sample}, or nothing, for whoever wants the logits themselves. Reused from step to step;
 * used by one thread.
 */
public final class Draws {
    private float[] temperatures = new float[1];
    private float[] topPs = new float[1];
    private float[] uniforms = new float[1];
    private boolean[] skipped = new boolean[1];
    private int rows;
    private int drawn;
    /** Whether a step has chosen for the rows that are there. */
    private boolean isDone;

    private int[] tokens = new int[0];
    private MemorySegment tokenBytes = MemorySegment.ofArray(tokens);
    private float[] logits = new float[0];

    /** One for each thread that draws. */
    private final List<TokenDistribution> distributions = new ArrayList<>();

    /** Forgets all rows. */
    public void clear() {
        rows = 0;
        drawn = 0;
        isDone = false;
    }

    /**
     * Appends a row from which a token is drawn.
     *
     * @param temperature 0 for the most likely token, else the divisor of the logits
     * @param topP share of probability kept, in (0, 1]
     * @param uniform the random number, in [0, 1); of no meaning at temperature 0
     * @throws RequestException if a number is none of these
     */
    public void add(float temperature, float topP, float uniform) {
        boolean isTemperature = temperature >= 0 && Float.isFinite(temperature);
        boolean isShare = topP > 0 && topP <= 1;
        if (!isTemperature || !isShare || !(uniform >= 0 && uniform < 1)) { // first, so that a draw allocates nothing
            Sampling.require(isTemperature, "temperature", temperature, "0 or more");
            Sampling.require(isShare, "topP", topP, "more than 0 and at most 1");
            Sampling.require(false, "uniform", uniform, "0 or more and less than 1");
        }
        append(temperature, topP, uniform, false);
        drawn++;
    }

    /** Appends a row whose logits are wanted. */
    public void skip() {
        append(0, 1, 0, true);
    }

    private void append(float temperature, float topP, float uniform, boolean skip) {
        isDone = false;
        if (rows == skipped.length) {
            int most = 2 * rows;
            temperatures = Arrays.copyOf(temperatures, most);
            topPs = Arrays.copyOf(topPs, most);
            uniforms = Arrays.copyOf(uniforms, most);
            skipped = Arrays.copyOf(skipped, most);
        }
        temperatures[rows] = temperature;
        topPs[rows] = topP;
        uniforms[rows] = uniform;
        skipped[rows++] = skip;
    }

    /** How many rows there are. */
    public int rows() {
        return rows;
    }

    /**
     * The token that a step drew from a row.
     *
     * @throws RequestException if no step has, or the row was skipped
     */
    public int token(int row) {
        if (row < 0 || row >= rows || !isDone || skipped[row]) {
            throw new RequestException("draws: found no token of row " + row + " of " + rows
                    + ", expected one that was added and drawn by a step");
        }
        return tokens[row];
    }

    /**
     * Logits of all rows, one after another in its beginning.
     *
     * @throws RequestException if no step has brought them, or no row was skipped
     */
    public float[] logits() {
        if (!isDone || !hasSkipped()) {
            throw new RequestException("draws: found no logits of " + rows
                    + " rows, expected some that were skipped and brought by a step");
        }
        return logits;
    }

    // what follows is for those who run the step

    boolean hasDrawn() {
        return drawn > 0;
    }

    boolean hasSkipped() {
        return drawn < rows;
    }

    float[] temperatures() {
        return temperatures;
    }

    float[] topPs() {
        return topPs;
    }

    float[] uniforms() {
        return uniforms;
    }

    /** Forgets what an earlier step chose for the same rows: the one that begins may fail. */
    void begin() {
        isDone = false;
    }

    /** Tokens of rows that were added are there, and logits if any was skipped. */
    void done() {
        isDone = true;
    }

    /** Room for the tokens of all rows, exactly. */
    MemorySegment tokens() {
        if (tokens.length != rows) {
            tokens = new int[rows];
            tokenBytes = MemorySegment.ofArray(tokens);
        }
        return tokenBytes;
    }

    /** All rows are skipped. @param target receives their logits */
    void skipAll(int count, float[] target) {
        clear();
        for (int i = 0; i < count; i++) {
            skip();
        }
        logits = target;
    }

    /** Room for the logits of all rows. */
    float[] roomForLogits(int vocabulary) {
        int needed = Math.multiplyExact(rows, vocabulary);
        if (logits.length < needed) {
            logits = new float[needed];
        }
        return logits;
    }

    /** Draws from the logits that are there, and is done. */
    void drawOnHost(int vocabulary) {
        isDone = true;
        if (drawn == 0) {
            return;
        }
        tokens();
        // a row takes milliseconds, in which the device waits
        int shares = Math.min(drawn, ForkJoinPool.commonPool().getParallelism() + 1);
        while (distributions.size() < shares) {
            distributions.add(new TokenDistribution());
        }
        if (shares == 1) {
            drawShare(0, 1, vocabulary);
        } else {
            IntStream.range(0, shares).parallel().forEach(share -> drawShare(share, shares, vocabulary));
        }
    }

    private void drawShare(int share, int shares, int vocabulary) {
        for (int i = share; i < rows; i += shares) {
            if (!skipped[i]) {
                tokens[i] = draw(i, vocabulary, distributions.get(share));
            }
        }
    }

    private int draw(int row, int vocabulary, TokenDistribution distribution) {
        int at = row * vocabulary;
        if (temperatures[row] == 0) {
            return TokenDistribution.mostLikely(logits, at, vocabulary);
        }
        distribution.set(logits, at, vocabulary, temperatures[row], topPs[row], 0, 0);
        return distribution.draw(uniforms[row]);
    }
}
