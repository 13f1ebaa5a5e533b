package dev.weft.backend.ascend.abi;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A C function of CANN.
 *
 * @param name symbol
 * @param libraries files that export it, to be tried in order
 * @param result result type
 * @param parameters in order, which is the ABI
 * @param since first version known to have this signature, as the table words it
 * @param confidence how well the signature is sourced: {@code 2+ sources}, {@code 1 source} or {@code inferred}
 * @param note remark of the table, empty for none
 */
public record AbiFunction(
        String name,
        List<String> libraries,
        CType result,
        List<AbiParameter> parameters,
        String since,
        String confidence,
        String note) {
    /** Library of operators that are built apart from CANN; their symbols may repeat CANN's with other parameters. */
    static final String VENDOR_LIBRARY = "libcust_opapi.so";

    private static final String PHASE_ONE = "GetWorkspaceSize";

    public AbiFunction {
        libraries = List.copyOf(libraries);
        parameters = List.copyOf(parameters);
    }

    /** How the platform calls it. */
    public FunctionDescriptor descriptor() {
        MemoryLayout[] arguments =
                parameters.stream().map(p -> p.type().layout().orElseThrow()).toArray(MemoryLayout[]::new);
        return result.layout()
                .map(r -> FunctionDescriptor.of(r, arguments))
                .orElseGet(() -> FunctionDescriptor.ofVoid(arguments));
    }

    /** Whether this is the form of a vendor package rather than CANN's own. */
    public boolean vendor() {
        return libraries.contains(VENDOR_LIBRARY);
    }

    /** Whether the function is one of the operator libraries, whose signatures change between versions. */
    public boolean isOperator() {
        return libraries.stream().anyMatch(l -> l.startsWith("libopapi") || l.equals(VENDOR_LIBRARY));
    }

    /** Key of this form in {@link AbiTable#function}: the symbol, with {@code @vendor} for a vendor's form. */
    public String key() {
        return vendor() ? name + AbiTable.VENDOR_SUFFIX : name;
    }

    /** Whether this is the first of an operator's two phases. */
    public boolean isPhaseOne() {
        return name.endsWith(PHASE_ONE);
    }

    /** The other symbol of a two-phase operator; a function of one phase has none of this name in the table. */
    String otherPhase() {
        return isPhaseOne() ? name.substring(0, name.length() - PHASE_ONE.length()) : name + PHASE_ONE;
    }

    /** C declaration on one line. */
    public String signature() {
        return parameters.stream()
                .map(AbiParameter::toString)
                .collect(Collectors.joining(", ", result + " " + name + "(", ")"));
    }
}
