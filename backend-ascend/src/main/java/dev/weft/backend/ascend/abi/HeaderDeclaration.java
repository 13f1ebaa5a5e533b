package dev.weft.backend.ascend.abi;

import java.util.List;
import java.util.stream.Collectors;

/**
 * A function as a header declares it.
 *
 * @param name function
 * @param result result type
 * @param parameters in order
 */
record HeaderDeclaration(String name, CTypeName result, List<Parameter> parameters) {
    HeaderDeclaration {
        parameters = List.copyOf(parameters);
    }

    /**
     * A parameter.
     *
     * @param type type without qualifiers
     * @param text type as written
     * @param name empty where the header gives none
     */
    record Parameter(CTypeName type, String text, String name) {
        @Override
        public String toString() {
            return name.isEmpty() ? text : text + " " + name;
        }
    }

    /** C declaration on one line. */
    String signature() {
        return parameters.stream()
                .map(Parameter::toString)
                .collect(Collectors.joining(", ", result + " " + name + "(", ")"));
    }
}
