package dev.weft.benchmarks;

import dev.weft.backend.ascend.abi.AbiFunction;
import dev.weft.backend.ascend.abi.AbiTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A tree of headers as large as a toolkit's, with comments as long: every operator function of the table of CANN's functions
 * is declared in one of them, and two of an operator that nobody asks for in each.
 */
final class SyntheticHeaders {
    /** More than the operators of CANN 9 have: one header for each group of functions. */
    static final int HEADERS = 3000;

    private static final String LICENCE = """
            /**
             * Some licence in a comment, which may contain anything: aclnnStatus aclnnAdd(int wrong);
             * It goes on for a while, as licences do, so that the file has the size of an ordinary header.
             */
            #ifndef OP_API_INC_%1$d_H_
            #define OP_API_INC_%1$d_H_
            #include "aclnn/aclnn_base.h"
            #include "aclnn_util.h"
            #ifdef __cplusplus
            extern "C" {
            #endif
            """;

    private static final String DOCUMENTATION = """
            /**
             * @brief First phase: computes the workspace size from the concrete operands.
             * @param [in] self: a tensor on the device; float, float16, bfloat16, integers. Strided tensors are fine,
             * ND is the only format, and the shape has at most eight dimensions. "Quotes" and 'apostrophes' don't matter.
             * @param [in] other: as self; the shapes must broadcast.
             * @param [out] out: the result, of the promoted type.
             * @param [out] workspaceSize: bytes that have to be allocated on the device.
             * @param [out] executor: what the second phase takes.
             * @return aclnnStatus: a status code.
             */
            """;

    private SyntheticHeaders() {}

    /** Writes the tree. */
    static void write(Path folder) throws IOException {
        List<AbiFunction> functions = AbiTable.load().functions().stream()
                .filter(f -> f.isOperator() && !f.vendor())
                .toList();
        Files.createDirectories(folder.resolve("level2"));
        for (int i = 0; i < HEADERS; i++) {
            StringBuilder text = new StringBuilder(String.format(LICENCE, i));
            for (String phase : List.of("GetWorkspaceSize", "")) {
                text.append(DOCUMENTATION)
                        .append("ACLNN_API aclnnStatus aclnnOther")
                        .append(i)
                        .append(phase);
                text.append("(const aclTensor *self,\n    const aclTensor *other, int64_t dim, bool keepDim,\n");
                text.append("    aclTensor *out, uint64_t *workspaceSize, aclOpExecutor **executor);\n\n");
            }
            for (int f = i; f < functions.size(); f += HEADERS) {
                text.append(DOCUMENTATION)
                        .append("__attribute__((visibility(\"default\"))) ")
                        .append(functions.get(f).signature().replace(", ", ",\n    "))
                        .append(";\n");
            }
            text.append("#ifdef __cplusplus\n}\n#endif\n#endif\n");
            Files.writeString(folder.resolve((i % 3 == 0 ? "level2/" : "") + "aclnn_" + i + ".h"), text);
        }
    }
}
