package dev.weft.backend.ascend.abi;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The opened libraries of an installation. A library opens at its first use and after those it needs: then the system
 * finds them by their names although no search path lists them.
 */
final class LibrarySet {
    private static final String RUNTIME = "libacl_rt.so";
    private static final String RUNTIME_OF_CANN_8 = "libascendcl.so";
    private static final String OPERATOR_BASE = "libnnopbase.so";
    private static final String COMMUNICATORS = "libhcomm.so";
    private static final String COLLECTIVES = "libhccl.so";

    /** Operators of the two families must not meet in a process, whoever opens them. */
    private static @Nullable CannFamily operatorsInProcess;

    private final CannHome home;
    private final DynamicLoader loader;
    private final Map<String, Opening> openings = new LinkedHashMap<>();

    LibrarySet(CannHome home, DynamicLoader loader) {
        this.home = home;
        this.loader = loader;
    }

    /** Outcome of opening a library. */
    sealed interface Opening {}

    /**
     * An open library.
     *
     * @param file name, as in {@code libnnopbase.so}
     * @param path the file that was opened
     */
    record Open(String file, Path path, SymbolLookup symbols) implements Opening {
        Optional<MemorySegment> find(String symbol) {
            return symbols.find(symbol);
        }
    }

    /** A library that cannot be used, with the reason. */
    record Closed(String reason) implements Opening {}

    /** A library of the installation. */
    synchronized Opening library(String file) {
        Opening known = openings.get(file);
        if (known != null) {
            return known;
        }
        prerequisites(file).forEach(this::library);
        Opening opening = open(file);
        openings.put(file, opening);
        return opening;
    }

    /** The operator library of a vendor's package. */
    synchronized Opening vendor(CannHome.Vendor vendor) {
        String key = vendor.library().toString();
        Opening known = openings.get(key);
        if (known != null) {
            return known;
        }
        home.family().operatorLibraries().forEach(this::library);
        Opening opening = load(AbiFunction.VENDOR_LIBRARY, vendor.library(), false);
        openings.put(key, opening);
        return opening;
    }

    private List<String> prerequisites(String file) {
        List<String> core = List.of(RUNTIME, RUNTIME_OF_CANN_8, OPERATOR_BASE);
        if (core.contains(file)) {
            return core.subList(0, core.indexOf(file));
        }
        List<String> operators = home.family().operatorLibraries();
        List<String> before = new ArrayList<>(core);
        if (operators.contains(file)) {
            before.addAll(operators.subList(0, operators.indexOf(file)));
        } else if (file.equals(COLLECTIVES)) {
            before.add(COMMUNICATORS);
        }
        return before;
    }

    private Opening open(String file) {
        if (file.equals(RUNTIME_OF_CANN_8) && openings.get(RUNTIME) instanceof Open) {
            return new Closed(file + " is not used beside " + RUNTIME);
        }
        if (home.family().other().operatorLibraries().contains(file)) {
            return new Closed(file + " is of the other family and must not meet "
                    + home.family().operatorLibraries().getFirst());
        }
        Optional<Path> path = home.library(file);
        if (path.isEmpty()) {
            return new Closed(file + " is in none of " + home.libraryFolders());
        }
        if (home.family().operatorLibraries().contains(file) && !enter(home.family())) {
            return new Closed(file + " cannot be opened: this process has the operators of "
                    + home.family().other());
        }
        // tiling and kernel libraries, vendors' too, expect the runtime and the operator base in the global scope; the
        // operators stay out of it, else a vendor's functions would be replaced by CANN's of the same name
        boolean global = file.equals(RUNTIME) || file.equals(RUNTIME_OF_CANN_8) || file.equals(OPERATOR_BASE);
        return load(file, path.get(), global);
    }

    private static synchronized boolean enter(CannFamily family) {
        if (operatorsInProcess == null) {
            operatorsInProcess = family;
        }
        return operatorsInProcess == family;
    }

    private Opening load(String file, Path path, boolean global) {
        try {
            return new Open(file, path, loader.open(path, global));
        } catch (DynamicLoader.LoadException | IllegalArgumentException e) {
            return new Closed(path + " does not open: " + e.getMessage());
        }
    }

    /** Whether CANN itself has {@code symbol} at {@code address}: looking into a library looks into its dependencies. */
    synchronized boolean belongsToCann(String symbol, MemorySegment address) {
        return openings.values().stream()
                .anyMatch(o -> o instanceof Open open
                        && !open.file().equals(AbiFunction.VENDOR_LIBRARY)
                        && open.find(symbol).filter(address::equals).isPresent());
    }

    /** What was tried so far, by file name or path. */
    synchronized Map<String, Opening> openings() {
        return new LinkedHashMap<>(openings);
    }
}
