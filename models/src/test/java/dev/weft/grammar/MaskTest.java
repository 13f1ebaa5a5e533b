package dev.weft.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.RequestException;
import dev.weft.model.TokenConstraint;
import dev.weft.model.TokenMask;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Masks equal what comes of trying every token, byte by byte, at random places of random texts. */
class MaskTest {
    private static final int WALKS = 6;
    private static final int LONGEST = 40;

    static Stream<String> schemas() {
        return Schemas.ALL.keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("schemas")
    void masksAreWhatTryingGives(String name) {
        int places = 0;
        int refusedForTheBudget = 0;
        for (int walk = 0; walk < WALKS; walk++) {
            byte[][] tokens = Vocabularies.small(walk / 3);
            CompiledGrammar grammar = Grammar.jsonSchema(
                            Schemas.ALL.get(name), JsonOptions.defaults().withMaxDepth(5))
                    .compile(Texts.vocabulary(tokens));
            TokenConstraint constraint = grammar.newConstraint();
            SplittableRandom random = new SplittableRandom(walk);
            TokenMask free = new TokenMask(tokens.length);
            TokenMask mask = new TokenMask(tokens.length);
            for (int i = 0; i < LONGEST && !constraint.isFinished(); i++, places++) {
                int budget = constraint.shortest() + random.nextInt(4);
                constraint.allowed(free, TokenConstraint.UNLIMITED);
                constraint.allowed(mask, budget);
                List<Integer> possible = new ArrayList<>();
                for (int token = 0; token < tokens.length; token++) {
                    int needed = tryOut(constraint, token);
                    assertThat(free.isAllowed(token))
                            .as("%s: token %d", name, token)
                            .isEqualTo(needed >= 0);
                    assertThat(mask.isAllowed(token)).isEqualTo(needed >= 0 && needed < budget);
                    if (needed >= 0) {
                        possible.add(token);
                        refusedForTheBudget += needed < budget ? 0 : 1;
                    }
                }
                assertThat(mask.first()).isNotNegative();
                constraint.accept(possible.get(random.nextInt(possible.size())));
            }
        }
        assertThat(places).isGreaterThan(WALKS);
        assertThat(refusedForTheBudget).isPositive();
    }

    /** Tokens needed after this one, -1 if it cannot come. */
    private static int tryOut(TokenConstraint constraint, int token) {
        TokenConstraint copy = constraint.copy();
        try {
            copy.accept(token);
            return copy.shortest();
        } catch (RequestException e) {
            return -1;
        }
    }
}
