package dev.weft.grammar;

import dev.weft.RequestException;
import dev.weft.model.TokenConstraint;
import dev.weft.model.TokenMask;

/**
 * Free text up to a token, a constraint from there on: reasoning that ends with {@code </think>}, then an answer of a
 * form. The end of the sequence cannot come before, and the token comes in time for the rest to be finished.
 */
public final class AfterToken implements TokenConstraint {
    private final int marker;
    private final int end;
    private final TokenConstraint rest;
    private boolean started;

    /**
     * Free text, then a text of a form.
     *
     * @param marker the token after which the form counts
     * @param end id of the end of the sequence
     * @param rest in its beginning
     */
    public AfterToken(int marker, int end, TokenConstraint rest) {
        this.marker = marker;
        this.end = end;
        this.rest = rest;
    }

    @Override
    public void allowed(TokenMask mask, int budget) {
        if (started) {
            rest.allowed(mask, budget);
            return;
        }
        if (budget < shortest()) {
            throw new RequestException(
                    "constraint: found room for " + budget + " tokens, expected at least " + shortest());
        }
        if (budget == shortest()) {
            mask.clear();
            mask.allow(marker);
        } else {
            mask.allowAll();
            mask.forbid(end);
        }
    }

    @Override
    public void accept(int token) {
        if (started) {
            rest.accept(token);
        } else if (token == end) {
            throw new RequestException(
                    "constraint: found the end of the sequence, expected token " + marker + " before");
        } else {
            started = token == marker;
        }
    }

    @Override
    public boolean isFinished() {
        return started && rest.isFinished();
    }

    @Override
    public int shortest() {
        return rest.shortest() + (started ? 0 : 1);
    }

    @Override
    public TokenConstraint copy() {
        AfterToken copy = new AfterToken(marker, end, rest.copy());
        copy.started = started;
        return copy;
    }
}
