package dev.weft.grammar;

import dev.weft.RequestException;
import dev.weft.model.TokenConstraint;
import dev.weft.model.TokenMask;

/** The state of a text of a grammar. */
final class GrammarConstraint implements TokenConstraint {
    private final CompiledGrammar grammar;
    private Reading readings;
    private boolean finished;

    GrammarConstraint(CompiledGrammar grammar, Reading readings) {
        this.grammar = grammar;
        this.readings = readings;
    }

    @Override
    public void allowed(TokenMask mask, int budget) {
        if (finished) {
            throw new RequestException("constraint: found another token asked for after the end, expected none");
        }
        if (mask.size() != grammar.vocabulary().size()) {
            throw new RequestException("constraint: found a vocabulary of " + mask.size() + " tokens, expected the "
                    + grammar.vocabulary().size() + " that the grammar was compiled for");
        }
        if (budget < shortest()) {
            throw new RequestException(
                    "constraint: found room for " + budget + " tokens, expected at least " + shortest());
        }
        mask.clear();
        for (Reading r = readings; r != null; r = r.next()) {
            if (!r.derived()) {
                grammar.allow(r, budget - 2, mask); // besides the next one and the end
            }
        }
        if (grammar.reader().isComplete(readings)) {
            mask.allow(grammar.vocabulary().end());
        }
    }

    @Override
    public void accept(int token) {
        if (!finished && token == grammar.vocabulary().end() && grammar.reader().isComplete(readings)) {
            finished = true;
            return;
        }
        byte[] bytes = finished || token < 0 || token >= grammar.vocabulary().size()
                ? new byte[0]
                : grammar.vocabulary().bytes(token);
        Reading after = bytes.length == 0 ? null : readings;
        for (int i = 0; i < bytes.length && after != null; i++) {
            after = grammar.reader().next(after, bytes[i] & 0xFF);
        }
        if (after == null) {
            throw new RequestException("constraint: found token " + token + ", expected one of those allowed");
        }
        readings = after;
    }

    @Override
    public boolean isFinished() {
        return finished;
    }

    @Override
    public int shortest() {
        return finished ? 0 : grammar.reader().cost(readings) + 1;
    }

    @Override
    public TokenConstraint copy() {
        GrammarConstraint copy = new GrammarConstraint(grammar, readings);
        copy.finished = finished;
        return copy;
    }
}
