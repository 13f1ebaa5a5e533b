package dev.weft.backend.ascend.abi;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Compares the table with the headers of an installation. The symbols of operators carry no version and their
 * parameters have changed in place, so that a call is safe only if the installed header says what the table says.
 *
 * <p>Type aliases are followed; {@code const} and the parameters' names are free, except that the same names in another
 * order mean that arguments of one type have changed places.
 */
public final class HeaderVerifier {
    private final HeaderTree tree;
    private final TypeComparison types;

    HeaderVerifier(HeaderTree tree) {
        this.tree = tree;
        this.types = new TypeComparison(tree);
    }

    /**
     * Reads the headers under {@code folders}.
     *
     * @param folders of headers, searched with all their subfolders; absent ones are skipped
     * @param table functions that may be asked for
     */
    public static HeaderVerifier read(List<Path> folders, AbiTable table) {
        return new HeaderVerifier(HeaderTree.read(folders, table.symbols(), HeaderTree.none()));
    }

    /** As {@link #read} for a package that is built against this one's headers and uses their types. */
    HeaderVerifier readOnTop(List<Path> folders, AbiTable table) {
        return new HeaderVerifier(HeaderTree.read(folders, table.symbols(), tree));
    }

    /** What the headers say of a function. */
    public sealed interface Verdict {}

    /** Every declaration agrees; {@code header} is the first. */
    public record Agrees(Path header) implements Verdict {}

    /**
     * A declaration differs.
     *
     * @param tableSignature what Weft would call
     * @param headerSignature what the library expects
     * @param difference the first difference in words
     * @param header file of the declaration
     */
    public record Differs(String tableSignature, String headerSignature, String difference, Path header)
            implements Verdict {}

    /** No header declares it. */
    public record Undeclared() implements Verdict {}

    /** Compares {@code function} with all its declarations. */
    public Verdict verify(AbiFunction function) {
        List<HeaderTree.Found> found = tree.declarations(function.name());
        for (HeaderTree.Found f : found) {
            String difference = difference(function, f.declaration());
            if (difference != null) {
                return new Differs(function.signature(), f.declaration().signature(), difference, f.file());
            }
        }
        return found.isEmpty() ? new Undeclared() : new Agrees(found.getFirst().file());
    }

    /** Number of headers read; 0 where none are installed. */
    public int headers() {
        return tree.files();
    }

    /** First difference in words, {@code null} for none. */
    private @Nullable String difference(AbiFunction function, HeaderDeclaration declared) {
        if (!types.same(function.result(), declared.result())) {
            return "the result is " + declared.result() + ", the table has " + function.result();
        }
        List<AbiParameter> ours = function.parameters();
        List<HeaderDeclaration.Parameter> theirs = declared.parameters();
        int common = Math.min(ours.size(), theirs.size());
        for (int i = 0; i < common; i++) {
            if (!types.same(ours.get(i).type(), theirs.get(i).type())) {
                return count(ours, theirs) + "parameter " + (i + 1) + " is '" + theirs.get(i) + "', the table has '"
                        + ours.get(i) + "'";
            }
        }
        if (ours.size() != theirs.size()) {
            return count(ours, theirs) + "the first " + common + " have the same types";
        }
        return swapped(ours, theirs);
    }

    private static String count(List<AbiParameter> ours, List<HeaderDeclaration.Parameter> theirs) {
        return ours.size() == theirs.size()
                ? ""
                : "the header has " + theirs.size() + " parameters, the table " + ours.size() + "; ";
    }

    /** A name of the table that the header gives to another position, though the types fit. */
    private static @Nullable String swapped(List<AbiParameter> ours, List<HeaderDeclaration.Parameter> theirs) {
        Map<String, Integer> places =
                places(theirs.stream().map(HeaderDeclaration.Parameter::name).toList());
        Map<String, Integer> own = places(ours.stream().map(AbiParameter::name).toList());
        for (int i = 0; i < ours.size(); i++) {
            String name = plain(ours.get(i).name());
            int there = places.getOrDefault(name, i);
            if (there != i && own.getOrDefault(name, -1) == i) {
                return "parameter '" + ours.get(i).name() + "' is number " + (there + 1) + ", the table has it at "
                        + (i + 1) + ": the order has changed";
            }
        }
        return null;
    }

    /** Position of each name, -1 for one that occurs twice; unnamed parameters are left out. */
    private static Map<String, Integer> places(List<String> names) {
        Map<String, Integer> places = new HashMap<>();
        for (int i = 0; i < names.size(); i++) {
            places.merge(plain(names.get(i)), i, (a, b) -> -1);
        }
        places.remove("");
        places.values().removeIf(p -> p < 0);
        return places;
    }

    /** Revisions differ in case and in this suffix for the same parameter. */
    private static String plain(String name) {
        String lower = name.toLowerCase(Locale.ROOT).replace("_", "");
        return lower.endsWith("optional") ? lower.substring(0, lower.length() - "optional".length()) : lower;
    }
}
