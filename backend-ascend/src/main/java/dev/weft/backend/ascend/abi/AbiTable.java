package dev.weft.backend.ascend.abi;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The C functions of CANN that Weft knows, from the resource {@code cann-abi.tsv}: the one place that says how a
 * function is called. Its columns are library, function, result, parameters, since, sources, confidence and note.
 *
 * <p>A symbol that a vendor package exports with other parameters than CANN is two functions; the vendor's has the key
 * {@code symbol@vendor}.
 */
public final class AbiTable {
    static final String VENDOR_SUFFIX = "@vendor";

    private static final String RESOURCE = "cann-abi.tsv";
    private static final String HEADER = "library\tfunction\treturn\tparams\tsince\tsources\tconfidence\tnote";

    private final Map<String, AbiFunction> functions;
    private final Set<String> symbols;

    private AbiTable(Map<String, AbiFunction> functions) {
        this.functions = functions;
        this.symbols = functions.values().stream().map(AbiFunction::name).collect(Collectors.toUnmodifiableSet());
    }

    private static final class Holder {
        static final AbiTable TABLE = read();
    }

    /** The table, read once. */
    public static AbiTable load() {
        return Holder.TABLE;
    }

    private static AbiTable read() {
        try (InputStream in = AbiTable.class.getResourceAsStream(RESOURCE)) {
            if (in == null) {
                throw new IllegalStateException("resource " + RESOURCE + " is missing beside " + AbiTable.class);
            }
            return parse(new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))
                    .lines()
                    .toList());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * A table from its lines.
     *
     * @throws IllegalArgumentException naming the line that is not a row
     */
    static AbiTable parse(List<String> lines) {
        Rows rows = new Rows();
        Map<String, AbiFunction> functions = new LinkedHashMap<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            if (line.isBlank() || line.startsWith("#") || line.equals(HEADER)) {
                continue;
            }
            try {
                AbiFunction function = rows.function(line);
                if (functions.putIfAbsent(function.key(), function) != null) {
                    throw new IllegalArgumentException("function " + function.key() + " is there twice");
                }
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(RESOURCE + " line " + (i + 1) + ": " + e.getMessage(), e);
            }
        }
        return new AbiTable(functions);
    }

    /** Reads rows; the few types and libraries that thousands of cells name are read once each. */
    private static final class Rows {
        private final Map<String, CType> types = new HashMap<>();
        private final Map<String, List<String>> libraries = new HashMap<>();

        AbiFunction function(String line) {
            String[] cells = line.split("\t", -1);
            if (cells.length != 8) {
                throw new IllegalArgumentException("found " + cells.length + " columns, expected 8");
            }
            return new AbiFunction(
                    cells[1],
                    libraries.computeIfAbsent(cells[0], Rows::libraries),
                    type(cells[2]),
                    parameters(cells[3]),
                    cells[4],
                    cells[6],
                    cells[7]);
        }

        private CType type(String text) {
            return types.computeIfAbsent(text, CType::parse);
        }

        /** Files in order, without remarks in parentheses. */
        private static List<String> libraries(String cell) {
            return Arrays.stream(cell.split("\\|"))
                    .map(l -> l.replaceFirst("\\(.*\\)", "").trim())
                    .toList();
        }

        private List<AbiParameter> parameters(String cell) {
            if (cell.equals("void")) {
                return List.of();
            }
            List<AbiParameter> parameters = new ArrayList<>();
            for (String parameter : cell.split(";")) {
                String declared = parameter.strip();
                int space = declared.lastIndexOf(' ');
                if (space < 0) {
                    throw new IllegalArgumentException("parameter '" + declared + "': expected a type and a name");
                }
                parameters.add(new AbiParameter(type(declared.substring(0, space)), declared.substring(space + 1)));
            }
            return parameters;
        }
    }

    /**
     * The function of a key.
     *
     * @param key a symbol for CANN's form (or the vendor's, if CANN has none), {@code symbol@vendor} for the vendor's
     * @throws IllegalArgumentException if the table has no such function
     */
    public AbiFunction function(String key) {
        return find(key)
                .orElseThrow(() -> new IllegalArgumentException(
                        "CANN function '" + key + "' is not in " + RESOURCE + ", which has " + functions.size()));
    }

    /** As {@link #function}, empty for an unknown key. */
    public Optional<AbiFunction> find(String key) {
        AbiFunction found = functions.get(key);
        return Optional.ofNullable(found != null ? found : functions.get(key + VENDOR_SUFFIX));
    }

    /** All functions in the order of the table. */
    public List<AbiFunction> functions() {
        return List.copyOf(functions.values());
    }

    /** The other phase of {@code function} in the same form, empty for a function of one phase. */
    Optional<AbiFunction> otherPhase(AbiFunction function) {
        String key = function.otherPhase() + (function.vendor() ? VENDOR_SUFFIX : "");
        return Optional.ofNullable(functions.get(key));
    }

    /** Symbols of the table; a header says more, of which nothing is needed. */
    Set<String> symbols() {
        return symbols;
    }
}
