package dev.weft.grammar;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * The bytes of all tokens as a tree. Nodes are numbered so that a node's descendants follow it: node 0 is the root, and a
 * walk that leaves out a subtree goes on at its end.
 */
final class TokenTrie {
    static final int NO_NODE = -1;

    private final byte[] labels;
    private final int[] ends;
    private final int[] depths;
    private final int[] firstToken;
    private final int[] tokens;
    private final int[] children = new int[256];
    private final int depth;

    /** @param bytes of every token; empty for those that are no text */
    TokenTrie(byte[][] bytes) {
        tokens = IntStream.range(0, bytes.length)
                .filter(id -> bytes[id].length > 0)
                .boxed()
                .sorted(Comparator.comparing((Integer id) -> bytes[id], Arrays::compareUnsigned))
                .mapToInt(id -> id)
                .toArray();
        Ints label = new Ints();
        Ints depthOf = new Ints();
        Ints first = new Ints();
        label.add(0);
        depthOf.add(0);
        first.add(0);
        byte[] before = {};
        for (int i = 0; i < tokens.length; i++) {
            byte[] token = bytes[tokens[i]];
            int common = Arrays.mismatch(before, token);
            for (int d = common < 0 ? token.length : common; d < token.length; d++) {
                label.add(token[d]);
                depthOf.add(d + 1);
                first.add(i); // of the nodes on the way, the last one has the token
            }
            before = token;
        }
        int nodes = label.size();
        first.add(tokens.length);
        labels = new byte[nodes];
        depths = depthOf.toArray();
        firstToken = first.toArray();
        ends = new int[nodes];
        int[] open = new int[Arrays.stream(depths).max().orElse(0) + 1];
        Arrays.fill(children, NO_NODE);
        for (int n = 0; n < nodes; n++) {
            labels[n] = (byte) label.get(n);
            if (n > 0) {
                for (int d = depths[n]; d <= depths[n - 1]; d++) {
                    ends[open[d]] = n;
                }
            }
            open[depths[n]] = n;
            if (depths[n] == 1) {
                children[labels[n] & 0xFF] = n;
            }
        }
        for (int d = 0; d <= depths[nodes - 1]; d++) {
            ends[open[d]] = nodes;
        }
        depth = open.length - 1;
    }

    /** Bytes of the longest token. */
    int depth() {
        return depth;
    }

    /** Number of bytes from the root to a node. */
    int depth(int node) {
        return depths[node];
    }

    /** The byte that leads to a node, 0 to 255. */
    int label(int node) {
        return labels[node] & 0xFF;
    }

    /** One past the last descendant. */
    int end(int node) {
        return ends[node];
    }

    boolean hasChildren(int node) {
        return ends[node] > node + 1;
    }

    /** The tokens that end at a node are those from this one to, exclusively, the first of the next node. */
    int firstToken(int node) {
        return firstToken[node];
    }

    /** Whether a token ends at a node. */
    boolean hasToken(int node) {
        return firstToken[node] < firstToken[node + 1];
    }

    int token(int index) {
        return tokens[index];
    }

    /** The node after another byte, {@link #NO_NODE} if no token goes on like that. @param value 0 to 255 */
    int child(int node, int value) {
        if (node == 0) {
            return children[value];
        }
        int child = node + 1;
        while (child < ends[node]) {
            if (label(child) == value) {
                return child;
            }
            child = ends[child];
        }
        return NO_NODE;
    }
}
