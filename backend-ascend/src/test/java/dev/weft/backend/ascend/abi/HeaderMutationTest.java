package dev.weft.backend.ascend.abi;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Every row of the table as a header would write it, and with every change of one parameter. */
class HeaderMutationTest {
    private static final AbiTable TABLE = AbiTable.load();

    /** What another revision may have in a parameter's place. */
    private static final List<String> TYPES = List.of(
            "int64_t",
            "int32_t",
            "uint32_t",
            "bool",
            "double",
            "float",
            "int8_t",
            "const aclTensor*",
            "aclIntArray*",
            "const aclTensorList*",
            "aclDataType",
            "char*",
            "void*",
            "uint64_t*",
            "aclTensor**",
            "HcclDataType");

    private static HeaderVerifier.Verdict verdict(AbiFunction function, String header) {
        HeaderTree tree = HeaderTree.of(Map.of(Path.of("test.h"), header), TABLE.symbols(), HeaderTree.none());
        return new HeaderVerifier(tree).verify(function);
    }

    private static void agrees(AbiFunction function, String header) {
        assertThat(verdict(function, header)).as(header).isInstanceOf(HeaderVerifier.Agrees.class);
    }

    private static String declaration(AbiFunction function, List<String> parameters) {
        return function.result() + " " + function.name() + "(" + String.join(", ", parameters) + ");";
    }

    private static List<String> parameters(AbiFunction function, Function<AbiParameter, String> style) {
        return function.parameters().stream().map(style).collect(Collectors.toCollection(ArrayList::new));
    }

    @Test
    void everyRowIsAcceptedInEveryStyle() {
        for (AbiFunction f : TABLE.functions()) {
            agrees(f, f.signature() + ";");
            agrees(f, declaration(f, parameters(f, p -> p.type().text())));
            agrees(
                    f,
                    declaration(
                            f,
                            parameters(
                                    f,
                                    p -> p.type().text().replace("*", " *") + "\n    /* in, out */ " + p.name()
                                            + "Renamed")));
            agrees(
                    f,
                    "ACL_FUNC_VISIBILITY __attribute__((visibility(\"default\"))) extern " + f.signature()
                            + " __attribute__((weak));");
            agrees(
                    f,
                    declaration(
                            f,
                            parameters(
                                    f,
                                    p -> p.type().text().startsWith("const ")
                                            ? p.type().text().substring(6).replaceFirst("(\\w+)", "$1 const") + " "
                                                    + p.name()
                                            : "const " + p.type() + " " + p.name() + " = {}")));
        }
    }

    @Test
    void everyAddedOrRemovedParameterIsRefused() {
        for (AbiFunction f : TABLE.functions()) {
            for (int i = 0; i <= f.parameters().size(); i++) {
                List<String> added = parameters(f, AbiParameter::toString);
                added.add(i, "int64_t extra");
                refused(f, declaration(f, added));
                if (i < f.parameters().size()) {
                    List<String> removed = parameters(f, AbiParameter::toString);
                    removed.remove(i);
                    refused(f, declaration(f, removed));
                }
            }
        }
    }

    @Test
    void everyOtherTypeIsRefused() {
        for (AbiFunction f : TABLE.functions()) {
            for (int i = 0; i < f.parameters().size(); i++) {
                for (String type : TYPES) {
                    String own = plain(f.parameters().get(i).type().text());
                    if (!plain(type).equals(own)
                            && !voidForHandle(type, f.parameters().get(i))) {
                        List<String> changed = parameters(f, AbiParameter::toString);
                        changed.set(i, type + " " + f.parameters().get(i).name());
                        refused(f, declaration(f, changed));
                    }
                }
            }
            for (String type : List.of("void", "int64_t", "float")) {
                if (!plain(f.result().text()).equals(type)) {
                    refused(f, f.signature().replaceFirst("^.*? (?=\\w+\\()", type + " ") + ";");
                }
            }
        }
    }

    @Test
    void everySwapOfTwoParametersIsRefused() {
        for (AbiFunction f : TABLE.functions()) {
            for (int i = 0; i < f.parameters().size(); i++) {
                for (int j = 0; j < i; j++) {
                    List<String> swapped = parameters(f, AbiParameter::toString);
                    Collections.swap(swapped, i, j);
                    refused(f, declaration(f, swapped));
                }
            }
        }
    }

    @Test
    void aCutHeaderNeverAgreesByAccident() {
        AbiFunction f = TABLE.function("aclnnQuantMatmulV5GetWorkspaceSize");
        String header = f.signature() + ";";
        IntStream.range(0, header.length() - 1)
                .forEach(cut -> assertThat(verdict(f, header.substring(0, cut)))
                        .as("cut at " + cut)
                        .isNotInstanceOf(HeaderVerifier.Agrees.class));
    }

    private static void refused(AbiFunction function, String header) {
        assertThat(verdict(function, header)).as(header).isInstanceOfSatisfying(HeaderVerifier.Differs.class, d -> {
            assertThat(d.tableSignature()).isEqualTo(function.signature());
            assertThat(d.headerSignature()).contains(function.name() + "(");
        });
    }

    /** The same type under the names that the headers of 64-bit Linux give it. */
    private static String plain(String type) {
        return type.replace("const", "")
                .replace(" ", "")
                .replaceFirst("^(int|aclError|aclnnStatus)(?=$|\\*)", "int32_t")
                .replaceFirst("^size_t", "uint64_t");
    }

    private static boolean voidForHandle(String type, AbiParameter parameter) {
        return type.equals("void*")
                && parameter.type().kind() == CType.Kind.POINTER
                && !parameter.type().text().contains("*");
    }
}
