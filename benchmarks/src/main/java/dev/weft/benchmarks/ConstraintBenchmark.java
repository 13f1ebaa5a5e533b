package dev.weft.benchmarks;

import static java.util.Objects.requireNonNull;

import dev.weft.grammar.CompiledGrammar;
import dev.weft.grammar.Grammar;
import dev.weft.grammar.JsonOptions;
import dev.weft.grammar.TokenVocabulary;
import dev.weft.model.TokenConstraint;
import dev.weft.model.TokenMask;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * What constrained decoding costs per token over a vocabulary of 129,280 tokens, once its states are known: random texts
 * are made beforehand and then taken again. Samples are times of single tokens, so percentiles mean something.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ConstraintBenchmark {
    private static final int BUDGET = 200;
    private static final int BYTES = 256;
    private static final String SCHEMA = """
            {"type": "object", "properties": {"name": {"type": "string", "maxLength": 40}, "age": {"type": "integer",
             "minimum": 0, "maximum": 150}, "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]},
             "maxItems": 5}, "next": {"$ref": "#"}}, "required": ["name", "age"], "additionalProperties": {"type": "string"}}""";

    /** {@code object} for any JSON object, {@code schema} for one of a recursive schema. */
    @Param({"object", "schema"})
    String form = "object";

    /** Texts to take. */
    int texts = 300;

    private final List<int[]> made = new ArrayList<>();
    private @Nullable CompiledGrammar grammar;
    private @Nullable TokenConstraint constraint;
    private @Nullable TokenMask mask;
    private float[] logits = new float[0];
    private int text;
    private int token;

    /** Makes the texts. */
    @Setup
    public void open() {
        byte[][] bytes = SyntheticVocabulary.bytes();
        mask = new TokenMask(bytes.length);
        logits = new float[bytes.length];
        Grammar wanted =
                form.equals("object") ? Grammar.jsonObject(JsonOptions.defaults()) : Grammar.jsonSchema(SCHEMA);
        grammar = wanted.compile(TokenVocabulary.of(bytes, bytes.length - 1));
        for (int i = 0; i < texts; i++) {
            made.add(make(grammar.newConstraint(), mask, new SplittableRandom(i)));
        }
        constraint = grammar.newConstraint();
    }

    private static int[] make(TokenConstraint constraint, TokenMask mask, SplittableRandom random) {
        int[] tokens = new int[BUDGET];
        int n = 0;
        while (!constraint.isFinished()) {
            constraint.allowed(mask, BUDGET - n);
            tokens[n] = pick(mask, random);
            constraint.accept(tokens[n++]);
        }
        return Arrays.copyOf(tokens, n);
    }

    /** Bytes more often than others, since with them alone structures end and begin. */
    private static int pick(TokenMask mask, SplittableRandom random) {
        for (int i = 0; i < BUDGET; i++) {
            int token = random.nextInt(random.nextInt(3) == 0 ? BYTES : mask.size());
            if (mask.isAllowed(token)) {
                return token;
            }
        }
        return mask.first();
    }

    /** The mask of one token, and the token. @return whether the text is complete */
    @Benchmark
    public boolean token() {
        TokenConstraint current = requireNonNull(constraint);
        current.allowed(requireNonNull(mask), BUDGET - token);
        current.accept(made.get(text)[token++]);
        boolean finished = current.isFinished();
        if (finished) {
            text = (text + 1) % texts;
            token = 0;
            constraint = requireNonNull(grammar).newConstraint();
        }
        return finished;
    }

    /** The mask of one token laid over logits, and the token; the logits are not made anew. */
    @Benchmark
    public boolean tokenAndLogits() {
        boolean finished = token();
        requireNonNull(mask).apply(logits);
        return finished;
    }
}
