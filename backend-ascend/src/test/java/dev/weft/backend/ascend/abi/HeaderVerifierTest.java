package dev.weft.backend.ascend.abi;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HeaderVerifierTest {
    private static final String ADD = "aclnnAddGetWorkspaceSize";

    @TempDir
    private Path folder;

    @BeforeEach
    void goodHeader() throws IOException {
        write("good.h", HeaderParserTest.resource("declarations.h"));
    }

    private void write(String file, String text) throws IOException {
        Files.writeString(folder.resolve(file), text);
    }

    private HeaderVerifier verifier() {
        return HeaderVerifier.read(List.of(folder, folder.resolve("absent")), AbiTable.load());
    }

    private HeaderVerifier.Verdict verdict(String function) {
        return verifier().verify(AbiTable.load().function(function));
    }

    @Test
    void acceptsEveryStyle() {
        for (String name : List.of(
                "aclInit",
                "aclFinalize",
                "aclGetRecentErrMsg",
                ADD,
                "aclnnAdd",
                "aclrtMemcpyAsync",
                "aclrtStreamWaitEvent",
                "HcclBroadcast",
                "aclCreateIntArray",
                "HcclGetCommName",
                "aclrtFree",
                "aclrtMallocHost")) {
            assertThat(verdict(name)).as(name).isInstanceOf(HeaderVerifier.Agrees.class);
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            const aclTensor *other, const aclScalar *alpha  | const aclScalar *alpha                            | 5 parameters
            aclTensor *out,                                 | aclTensor *out, int64_t extra,                    | 7 parameters
            const aclScalar *alpha                          | double alpha                                      | parameter 3
            uint64_t *workspaceSize                         | int64_t *workspaceSize                            | parameter 5
            uint64_t *workspaceSize                         | uint64_t workspaceSize                            | parameter 5
            const aclTensor *self, const aclTensor *other   | const aclTensor *other, const aclTensor *self     | order has changed
            const aclTensor *self                           | const aclTensorList *self                         | parameter 1
            aclOpExecutor **executor                        | aclOpExecutor *executor                           | parameter 6
            aclnnStatus aclnn                               | int64_t aclnn                                     | result
            """)
    void refusesPlantedChanges(String original, String planted, String difference) throws IOException {
        String good = "aclnnStatus aclnnAddGetWorkspaceSize(const aclTensor *self, const aclTensor *other,"
                + " const aclScalar *alpha, aclTensor *out, uint64_t *workspaceSize, aclOpExecutor **executor);";
        assertThat(good).contains(original);
        write("planted.h", good.replace(original, planted));
        assertThat(verdict(ADD)).isInstanceOfSatisfying(HeaderVerifier.Differs.class, d -> {
            assertThat(d.difference()).contains(difference);
            assertThat(d.tableSignature()).startsWith("aclnnStatus " + ADD + "(const aclTensor* self");
            assertThat(d.headerSignature()).contains(ADD);
            assertThat(d.header()).hasFileName("planted.h");
        });
        assertThat(verdict("aclnnAdd")).as("the other phase").isInstanceOf(HeaderVerifier.Agrees.class);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            aclnnKvCompressEpilogGetWorkspaceSize | float   | double
            aclnnKvCompressEpilogGetWorkspaceSize | bool    | int64_t
            aclnnCastGetWorkspaceSize             | aclDataType | int64_t
            aclnnMatmulGetWorkspaceSize           | int8_t  | int64_t
            aclnnRmsNormGetWorkspaceSize          | double  | float
            aclnnIndexSelectGetWorkspaceSize      | int64_t | int32_t
            """)
    void refusesScalarsOfAnotherType(String function, String type, String other) throws IOException {
        String row = AbiTable.load().function(function).signature() + ";";
        assertThat(row).contains(" " + type + " ").as(function);
        write("scalars.h", row);
        assertThat(verdict(function)).as(row).isInstanceOf(HeaderVerifier.Agrees.class);
        write("scalars.h", row.replaceFirst(" " + type + " ", " " + other + " "));
        assertThat(verdict(function)).as(row).isInstanceOf(HeaderVerifier.Differs.class);
    }

    @Test
    void namesAreFreeButTheirOrderIsNot() throws IOException {
        String good = "aclnnStatus aclnnIndexSelectGetWorkspaceSize(const aclTensor* a, int64_t b, const aclTensor* c,"
                + " aclTensor* d, uint64_t*, aclOpExecutor**);";
        write("names.h", good);
        assertThat(verdict("aclnnIndexSelectGetWorkspaceSize")).isInstanceOf(HeaderVerifier.Agrees.class);
        AbiFunction add = AbiTable.load().function("aclrtMemcpy");
        write(
                "order.h",
                add.signature()
                                .replaceFirst("destMax", "swap")
                                .replaceFirst("count", "destMax")
                                .replaceFirst("swap", "count")
                        + ";");
        assertThat(verdict("aclrtMemcpy"))
                .isInstanceOfSatisfying(
                        HeaderVerifier.Differs.class,
                        d -> assertThat(d.difference()).contains("order has changed"));
    }

    @Test
    void handlesOfOneCTypeAreTwoTypes() throws IOException {
        write("handles.h", "aclError aclrtRecordEvent(aclrtStream e, aclrtEvent s);");
        assertThat(verdict("aclrtRecordEvent")).isInstanceOf(HeaderVerifier.Differs.class);
        write("handles.h", "aclError aclrtRecordEvent(void *event, void *stream);");
        assertThat(verdict("aclrtRecordEvent")).isInstanceOf(HeaderVerifier.Agrees.class);
    }

    @Test
    void refusesATypedefOfAnotherWidth() throws IOException {
        AbiFunction cast = AbiTable.load().function("aclrtSetDeviceSatMode");
        write("wide.h", cast.signature() + ";");
        assertThat(verdict(cast.name())).isInstanceOf(HeaderVerifier.Agrees.class);
        write("wide.h", "typedef int64_t aclrtFloatOverflowMode; " + cast.signature() + ";");
        assertThat(verdict(cast.name())).isInstanceOf(HeaderVerifier.Differs.class);
        write("wide.h", "typedef int64_t aclrtFloatOverflowMode; aclError aclrtSetDeviceSatMode(int64_t mode);");
        assertThat(verdict(cast.name())).isInstanceOf(HeaderVerifier.Differs.class);
        write("wide.h", "typedef a b; typedef b a; aclError aclrtSetDeviceSatMode(a mode);");
        assertThat(verdict(cast.name())).as("aliases in a circle").isInstanceOf(HeaderVerifier.Differs.class);
    }

    @Test
    void oneDifferentDeclarationOfSeveralRefuses() throws IOException {
        Files.createDirectories(folder.resolve("level2"));
        write(
                "level2/add.h",
                "aclnnStatus aclnnAddGetWorkspaceSize(const aclTensor *self, uint64_t *workspaceSize,"
                        + " aclOpExecutor **executor);");
        assertThat(verdict(ADD)).isInstanceOf(HeaderVerifier.Differs.class);
    }

    @Test
    void undeclaredIsNoAgreement() {
        assertThat(verdict("aclnnMul")).isInstanceOf(HeaderVerifier.Undeclared.class);
        HeaderVerifier none = HeaderVerifier.read(List.of(folder.resolve("absent")), AbiTable.load());
        assertThat(none.headers()).isZero();
        assertThat(none.verify(AbiTable.load().function("aclInit"))).isInstanceOf(HeaderVerifier.Undeclared.class);
    }

    @Test
    void theVendorsFormIsHeldAgainstTheVendorsHeader() throws IOException {
        AbiFunction own = AbiTable.load().function("aclnnCompressorGetWorkspaceSize");
        AbiFunction vendor = AbiTable.load().function("aclnnCompressorGetWorkspaceSize@vendor");
        write("compressor.h", vendor.signature() + ";");
        assertThat(verifier().verify(vendor)).isInstanceOf(HeaderVerifier.Agrees.class);
        assertThat(verifier().verify(own)).isInstanceOf(HeaderVerifier.Differs.class);
    }
}
