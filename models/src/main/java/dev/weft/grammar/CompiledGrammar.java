package dev.weft.grammar;

import dev.weft.model.TokenConstraint;
import dev.weft.model.TokenMask;

/**
 * A grammar over the tokens of a vocabulary. Made once and used for any number of generations; what it finds out about its
 * states it keeps, so later generations are faster than the first. Thread-safe.
 */
public final class CompiledGrammar {
    private final TokenVocabulary vocabulary;
    private final Automaton automaton;
    private final int[] distances;
    private final Reader reader;
    private final Cuts cuts;

    CompiledGrammar(Automaton automaton, TokenVocabulary vocabulary) {
        this.vocabulary = vocabulary;
        this.automaton = automaton;
        this.distances = TokenDistances.of(automaton, vocabulary.trie());
        this.reader = new Reader(automaton, distances);
        int[] classes = StateClasses.of(automaton, distances, vocabulary.trie().depth());
        this.cuts = new Cuts(reader, vocabulary, distances, classes);
    }

    /** A constraint for one generation, at the beginning of the text. */
    public TokenConstraint newConstraint() {
        return new GrammarConstraint(this, reader.start(automaton.entry(0), Stack.BOTTOM));
    }

    TokenVocabulary vocabulary() {
        return vocabulary;
    }

    Reader reader() {
        return reader;
    }

    /** Adds the tokens that may follow one way to read the text, and after which it can be finished in time. */
    void allow(Reading reading, int budget, TokenMask mask) {
        int state = reading.state();
        Stack stack = reading.stack();
        Cut.Places from = Cut.Places.START;
        while (true) {
            Cut cut = cuts.of(state, from);
            int farthest = budget - distances[state] - stack.cost();
            for (Cut.Group group : cut.groups()) {
                if (group.farther() > farthest) {
                    break;
                }
                group.tokens().addTo(mask);
            }
            from = cut.leaving();
            if (from.isEmpty() || stack.isBottom()) {
                return;
            }
            state = stack.state();
            stack = stack.below();
        }
    }
}
