package dev.weft.backend.ascend.abi;

import dev.weft.BackendUnavailableException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The C functions of an installation: each is looked up, held against the installed headers and linked when it is first
 * asked for. Libraries stay open for the rest of the program. For all threads.
 *
 * <p>An operator has two functions; both must come from one library and agree with its headers, or neither is bound.
 */
public final class CannLibraries {
    /** System property that allows operators that no header declares. */
    public static final String UNVERIFIED_PROPERTY = "weft.ascend.unverified";

    private static final long VERSION_STRUCT_BYTES = 4096; // aclCANNPackageVersion has 512; its first member is text

    private final CannHome home;
    private final AbiTable table;
    private final LibrarySet libraries;
    private final InstalledHeaders headers;
    private final boolean unverifiedAllowed;
    private final Map<String, Resolution> resolutions = new ConcurrentHashMap<>();
    private final Map<String, MethodHandle> handles = new ConcurrentHashMap<>();

    private CannLibraries(CannHome home, AbiTable table, DynamicLoader loader, boolean unverifiedAllowed) {
        this.home = home;
        this.table = table;
        this.libraries = new LibrarySet(home, loader);
        this.headers = new InstalledHeaders(home, table);
        this.unverifiedAllowed = unverifiedAllowed;
    }

    /** Outcome of opening an installation. */
    public sealed interface Result {}

    /** Its runtime and operator base are open. */
    public record Opened(CannLibraries libraries) implements Result {}

    /** They do not open; {@code reason} has the system's words. */
    public record Failed(String reason) implements Result {}

    /**
     * Opens the runtime of an installation, and nothing else yet.
     *
     * @throws BackendUnavailableException if this module may not call native code
     */
    public static Result open(CannHome home) {
        return open(home, AbiTable.load(), Boolean.getBoolean(UNVERIFIED_PROPERTY));
    }

    static Result open(CannHome home, AbiTable table, boolean unverifiedAllowed) {
        CannLibraries opened = new CannLibraries(home, table, DynamicLoader.system(), unverifiedAllowed);
        List<String> reasons = new ArrayList<>();
        for (String file : table.function("aclInit").libraries()) {
            switch (opened.libraries.library(file)) {
                case LibrarySet.Open open -> {
                    return new Opened(opened);
                }
                case LibrarySet.Closed closed -> reasons.add(closed.reason());
            }
        }
        return new Failed("CANN at " + home.root() + ": " + String.join("; ", reasons)
                + "; the driver's libraries must be found too: source set_env.sh before starting Java");
    }

    /** The installation. */
    public CannHome home() {
        return home;
    }

    /** The functions that can be asked for. */
    public AbiTable table() {
        return table;
    }

    /**
     * What became of a function.
     *
     * @param key symbol, or {@code symbol@vendor} for a vendor's form
     */
    public Resolution resolve(String key) {
        Resolution known = resolutions.get(key);
        if (known != null) {
            return known;
        }
        Resolution found = table.find(key)
                .map(this::resolve)
                .orElseGet(() -> new Resolution.Missing("the table of functions has no '" + key + "'"));
        Resolution first = resolutions.putIfAbsent(key, found);
        return first != null ? first : found;
    }

    /**
     * A function ready to be called; arguments and result as {@link AbiFunction#descriptor} says.
     *
     * @param key as in {@link #resolve}
     * @throws BackendUnavailableException if the function is not bound, with the reason
     */
    public MethodHandle handle(String key) {
        MethodHandle known = handles.get(key);
        if (known != null) {
            return known;
        }
        MethodHandle linked = switch (resolve(key)) {
            case Resolution.Bound b ->
                DynamicLoader.link(b.address(), b.function().descriptor());
            case Resolution r -> throw new BackendUnavailableException("CANN function " + key + " " + r.describe());
        };
        MethodHandle first = handles.putIfAbsent(key, linked);
        return first != null ? first : linked;
    }

    /** Symbols of bound functions, for interfaces that are implemented by {@code NativeBinder}. */
    public SymbolLookup symbols() {
        return key -> resolve(key) instanceof Resolution.Bound b ? Optional.of(b.address()) : Optional.empty();
    }

    /** Version of the installation: from its files, else as its runtime says. */
    public Optional<CannVersion> version() {
        return home.version().or(() -> runtimeVersion().flatMap(CannVersion::find));
    }

    /** What {@code aclsysGetCANNVersion} answers, empty if it is missing or fails. */
    public Optional<String> runtimeVersion() {
        if (!resolve("aclsysGetCANNVersion").bound()) {
            return Optional.empty();
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment version = arena.allocate(VERSION_STRUCT_BYTES, 8);
            int status = (int) handle("aclsysGetCANNVersion").invoke(0, version);
            return status == 0 ? Optional.of(version.getString(0)) : Optional.empty();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Resolutions so far, by key. */
    Map<String, Resolution> resolutions() {
        return Map.copyOf(resolutions);
    }

    /** Libraries tried so far. */
    Map<String, LibrarySet.Opening> openings() {
        return libraries.openings();
    }

    /** Where a function may be: a library of CANN, or the one of a vendor. */
    private record Place(String file, Optional<CannHome.Vendor> vendor) {}

    /** An open library and the headers it was built with. */
    private record Source(LibrarySet.Open library, HeaderVerifier headers) {}

    /** CANN's own libraries first; a package built from CANN's sources may have an operator that CANN itself lacks. */
    private List<Place> places(AbiFunction function) {
        List<Place> places = new ArrayList<>();
        if (!function.vendor()) {
            function.libraries().forEach(file -> places.add(new Place(file, Optional.empty())));
        }
        if (function.isOperator()) {
            home.vendors().forEach(v -> places.add(new Place(AbiFunction.VENDOR_LIBRARY, Optional.of(v))));
        }
        return places;
    }

    private Resolution resolve(AbiFunction function) {
        List<String> absent = new ArrayList<>();
        List<Resolution> refused = new ArrayList<>();
        for (Place place : places(function)) {
            Resolution resolution = resolve(function, place);
            switch (resolution) {
                case Resolution.Bound bound -> {
                    return bound;
                }
                case Resolution.Missing missing -> absent.add(missing.reason());
                case Resolution.Mismatch mismatch -> refused.add(mismatch);
                case Resolution.Unverified unverified -> refused.add(unverified);
            }
        }
        if (function.vendor() && home.vendors().isEmpty()) {
            absent.add(
                    "no package of a vendor is installed (ASCEND_CUSTOM_OPP_PATH or " + home.root() + "/opp/vendors)");
        }
        return refused.isEmpty() ? new Resolution.Missing(String.join("; ", absent)) : refused.getFirst();
    }

    private Resolution resolve(AbiFunction function, Place place) {
        LibrarySet.Opening opening =
                place.vendor().map(libraries::vendor).orElseGet(() -> libraries.library(place.file()));
        return switch (opening) {
            case LibrarySet.Closed closed -> new Resolution.Missing(closed.reason());
            case LibrarySet.Open open -> {
                HeaderVerifier verifier = place.vendor().map(headers::of).orElseGet(() -> headers.of(function));
                yield resolve(function, new Source(open, verifier));
            }
        };
    }

    private Resolution resolve(AbiFunction function, Source source) {
        Optional<MemorySegment> address = find(source, function.name());
        if (address.isEmpty()) {
            return new Resolution.Missing(source.library().path() + " has no such symbol");
        }
        Optional<AbiFunction> other = table.otherPhase(function);
        if (other.isPresent() && find(source, other.get().name()).isEmpty()) {
            return new Resolution.Missing(source.library().path() + " lacks its other phase "
                    + other.get().name());
        }
        HeaderVerifier.Verdict verdict = source.headers().verify(function);
        HeaderVerifier.Verdict otherVerdict =
                other.map(source.headers()::verify).orElse(verdict);
        for (HeaderVerifier.Verdict v : List.of(verdict, otherVerdict)) {
            if (v instanceof HeaderVerifier.Differs d) {
                return new Resolution.Mismatch(
                        d.tableSignature(), d.headerSignature(), d.header() + ": " + d.difference());
            }
        }
        if (verdict instanceof HeaderVerifier.Agrees agrees && otherVerdict instanceof HeaderVerifier.Agrees) {
            String library = source.library().path().toString();
            return new Resolution.Bound(function, address.get(), library, "agrees with " + agrees.header());
        }
        return undeclared(function, source, address.get());
    }

    private Optional<MemorySegment> find(Source source, String symbol) {
        boolean vendor = source.library().file().equals(AbiFunction.VENDOR_LIBRARY);
        return source.library().find(symbol).filter(a -> !vendor || !libraries.belongsToCann(symbol, a));
    }

    /** A function that no header declares. */
    private Resolution undeclared(AbiFunction function, Source source, MemorySegment address) {
        String library = source.library().path().toString();
        String found = source.headers().headers() == 0 ? "no headers are installed" : "no header declares it";
        if (!function.isOperator()) {
            return new Resolution.Bound(
                    function, address, library, found + "; this interface only grew since CANN 8.1");
        }
        Optional<CannVersion> version = version();
        String versionText = version.map(CannVersion::toString).orElse("unknown");
        boolean known =
                version.filter(v -> v.listed() && v.has(function.since())).isPresent();
        if (unverifiedAllowed && known) {
            return new Resolution.Bound(
                    function,
                    address,
                    library,
                    found + "; allowed for CANN " + versionText + " by " + UNVERIFIED_PROPERTY);
        }
        String remedy = known
                ? "install CANN's headers, or allow it with -D" + UNVERIFIED_PROPERTY + "=true"
                : "install CANN's headers: CANN " + versionText + " is not known to have this signature (listed: "
                        + String.join(", ", CannVersion.LISTED) + "; signature since: " + function.since() + ")";
        return new Resolution.Unverified(library + " exports it and " + found + "; " + remedy);
    }
}
