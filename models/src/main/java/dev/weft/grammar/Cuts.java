package dev.weft.grammar;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Finds cuts by walking through the tree of tokens, and keeps them. Thread-safe. */
final class Cuts {
    /** Bytes kept; beyond, all is forgotten and found again as needed. */
    private static final long MOST_MEMORY = 256L << 20;

    private final Reader reader;
    private final TokenVocabulary vocabulary;
    private final int[] distances;
    private final int[] classes;
    private final Map<Long, Cut> cuts = new ConcurrentHashMap<>();
    private final Map<IntKey, Cut.Places> places = new ConcurrentHashMap<>();
    private final AtomicInteger placeIds = new AtomicInteger(Cut.Places.START.id() + 1);
    private final AtomicLong memory = new AtomicLong();

    Cuts(Reader reader, TokenVocabulary vocabulary, int[] distances, int[] classes) {
        this.reader = reader;
        this.vocabulary = vocabulary;
        this.distances = distances;
        this.classes = classes;
    }

    /** What tokens do that are at some places when the state is entered. */
    Cut of(int state, Cut.Places from) {
        long key = (long) from.id() << 32 | classes[state];
        Cut known = cuts.get(key);
        return known != null ? known : keep(key, new Walk(state).from(from));
    }

    private Cut keep(long key, Cut cut) {
        if (memory.addAndGet(cut.memory()) > MOST_MEMORY) {
            memory.set(cut.memory());
            cuts.clear();
            places.clear();
        }
        cuts.put(key, cut);
        return cut;
    }

    private Cut.Places placesOf(Ints nodes) {
        return places.computeIfAbsent(
                new IntKey(nodes.toSortedSet()), key -> new Cut.Places(placeIds.getAndIncrement(), key.values()));
    }

    private final class Walk {
        private final TokenTrie trie = vocabulary.trie();
        private final @Nullable Reading[] path = new Reading[trie.depth() + 1];
        private final Map<Integer, Ints> found = new TreeMap<>();
        private final Ints leaving = new Ints();
        private final int state;

        Walk(int state) {
            this.state = state;
        }

        Cut from(Cut.Places start) {
            Reading readings = reader.start(state, Stack.BOTTOM);
            for (int node : start.nodes()) {
                if (reader.isComplete(readings)) {
                    leaving.add(node);
                }
                below(node, readings);
            }
            List<Cut.Group> groups = new ArrayList<>();
            found.forEach((farther, ids) ->
                    groups.add(new Cut.Group(farther, new TokenSet(ids.toArray(), vocabulary.size()))));
            return new Cut(List.copyOf(groups), placesOf(leaving));
        }

        private void below(int top, Reading start) {
            int base = trie.depth(top);
            path[0] = start;
            int node = top + 1;
            while (node < trie.end(top)) {
                int depth = trie.depth(node) - base;
                Reading before = path[depth - 1];
                Reading after = before == null ? null : reader.next(before, trie.label(node));
                path[depth] = after;
                if (after == null) {
                    node = trie.end(node);
                    continue;
                }
                if (trie.hasToken(node)) {
                    Ints ids = found.computeIfAbsent(reader.cost(after) - distances[state], farther -> new Ints());
                    for (int i = trie.firstToken(node); i < trie.firstToken(node + 1); i++) {
                        ids.add(trie.token(i));
                    }
                }
                if (trie.hasChildren(node) && reader.isComplete(after)) {
                    leaving.add(node);
                }
                node++;
            }
        }
    }
}
