package dev.weft.backend.ascend.abi;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The headers of an installation in three parts that are read when first needed: the runtime's few, the operators'
 * thousands, and each vendor's.
 */
final class InstalledHeaders {
    private static final String OPERATORS = "aclnnop";

    private final CannHome home;
    private final AbiTable table;
    private final Map<String, HeaderVerifier> vendors = new HashMap<>();
    private @Nullable HeaderVerifier runtime;
    private @Nullable HeaderVerifier operators;

    InstalledHeaders(CannHome home, AbiTable table) {
        this.home = home;
        this.table = table;
    }

    /** Headers that declare a function of CANN itself. */
    HeaderVerifier of(AbiFunction function) {
        return function.isOperator() ? operators() : runtime();
    }

    /** Headers of a vendor's package. */
    synchronized HeaderVerifier of(CannHome.Vendor vendor) {
        return vendors.computeIfAbsent(
                vendor.library().toString(), v -> runtime().readOnTop(List.of(vendor.includeFolder()), table));
    }

    private synchronized HeaderVerifier runtime() {
        HeaderVerifier read = runtime;
        if (read == null) {
            read = HeaderVerifier.read(folders(false), table);
            runtime = read;
        }
        return read;
    }

    private synchronized HeaderVerifier operators() {
        HeaderVerifier read = operators;
        if (read == null) {
            read = runtime().readOnTop(folders(true), table);
            operators = read;
        }
        return read;
    }

    private List<Path> folders(boolean ofOperators) {
        return home.includeFolders().stream()
                .filter(f -> f.endsWith(OPERATORS) == ofOperators)
                .toList();
    }
}
