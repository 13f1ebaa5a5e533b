package dev.weft.backend.ascend.abi;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What an installation offers, for {@code weft devices --verbose} and for reports to us.
 *
 * @param root the installation and what named it
 * @param family form of its operator libraries
 * @param version from its files, empty if none tells
 * @param runtimeVersion what its runtime says, empty if it does not
 * @param libraries opened and refused libraries
 * @param functions the functions asked for
 */
public record CannReport(
        String root,
        CannFamily family,
        Optional<CannVersion> version,
        Optional<String> runtimeVersion,
        List<Library> libraries,
        List<Function> functions) {
    private static final String WELL_SOURCED = "2+ sources";

    public CannReport {
        libraries = List.copyOf(libraries);
        functions = List.copyOf(functions);
    }

    /**
     * A library.
     *
     * @param file name or path
     * @param open whether it is in use
     * @param detail path, or why it is not in use
     */
    public record Library(String file, boolean open, String detail) {}

    /** How far a function can be used; callers that learn more at run time add their own findings. */
    public enum State {
        /** Can be called. */
        BOUND,
        /** No library has it. */
        MISSING,
        /** The installed header has another signature. */
        MISMATCH,
        /** No header has a signature. */
        UNVERIFIED
    }

    /**
     * A function.
     *
     * @param key symbol, with {@code @vendor} for a vendor's form
     * @param state whether it can be called
     * @param confidence how well its signature is sourced
     * @param detail library and header, or the reason
     */
    public record Function(String key, State state, String confidence, String detail) {}

    /** Resolves all functions of the table, which opens all libraries; the phases of an operator are one function. */
    public static CannReport of(CannLibraries cann) {
        return of(
                cann,
                cann.table().functions().stream()
                        .filter(f -> !f.isPhaseOne())
                        .map(AbiFunction::key)
                        .toList());
    }

    /** Resolves the functions of {@code keys}. */
    public static CannReport of(CannLibraries cann, Collection<String> keys) {
        List<Function> functions = keys.stream().map(k -> function(cann, k)).toList();
        Optional<String> runtimeVersion = cann.runtimeVersion();
        List<Library> libraries = new ArrayList<>();
        for (Map.Entry<String, LibrarySet.Opening> e : cann.openings().entrySet()) {
            libraries.add(
                    switch (e.getValue()) {
                        case LibrarySet.Open open ->
                            new Library(e.getKey(), true, open.path().toString());
                        case LibrarySet.Closed closed -> new Library(e.getKey(), false, closed.reason());
                    });
        }
        CannHome home = cann.home();
        return new CannReport(
                home.root() + " (" + home.origin() + ")",
                home.family(),
                home.version(),
                runtimeVersion,
                libraries,
                functions);
    }

    private static Function function(CannLibraries cann, String key) {
        Resolution resolution = cann.resolve(key);
        State state = switch (resolution) {
            case Resolution.Bound b -> State.BOUND;
            case Resolution.Missing m -> State.MISSING;
            case Resolution.Mismatch m -> State.MISMATCH;
            case Resolution.Unverified u -> State.UNVERIFIED;
        };
        String confidence = cann.table().find(key).map(AbiFunction::confidence).orElse("none");
        return new Function(key, state, confidence, resolution.describe());
    }

    /** Number of functions in a state. */
    public long count(State state) {
        return functions.stream().filter(f -> f.state() == state).count();
    }

    /**
     * Lines for people: the installation, its libraries, and each function unless it is bound, agrees with a header and
     * is well sourced, as most are.
     */
    public List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add("CANN " + root + ", " + family + ", version "
                + version.map(CannVersion::toString).orElse("unknown") + ", runtime says "
                + runtimeVersion.orElse("nothing"));
        libraries.forEach(l -> lines.add((l.open() ? "open    " : "absent  ") + l.detail()));
        lines.add(String.format(
                "%d functions: %d bound, %d missing, %d mismatch, %d unverified",
                functions.size(),
                count(State.BOUND),
                count(State.MISSING),
                count(State.MISMATCH),
                count(State.UNVERIFIED)));
        for (Function f : functions) {
            if (f.state() != State.BOUND || !f.confidence().equals(WELL_SOURCED)) {
                lines.add(String.format("%-10s  %s: %s", f.confidence(), f.key(), f.detail()));
            }
        }
        return lines;
    }
}
