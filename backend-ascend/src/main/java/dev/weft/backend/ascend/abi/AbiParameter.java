package dev.weft.backend.ascend.abi;

/**
 * A parameter of a C function.
 *
 * @param type its C type
 * @param name its name in the documents; headers may use another
 */
public record AbiParameter(CType type, String name) {
    @Override
    public String toString() {
        return type + " " + name;
    }
}
