package dev.weft.backend.ascend.abi;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class HeaderParserTest {
    static String resource(String name) {
        try (InputStream in = HeaderParserTest.class.getResourceAsStream(name)) {
            assertThat(in).as(name).isNotNull();
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static HeaderParser.Contents parse(String text) {
        return HeaderParser.parse(text, AbiTable.load().symbols());
    }

    private static String only(String text) {
        HeaderParser.Contents contents = parse(text);
        assertThat(contents.declarations()).hasSize(1);
        return contents.declarations().getFirst().signature();
    }

    @Test
    void readsEveryStyle() {
        Map<String, String> signatures = parse(resource("declarations.h")).declarations().stream()
                .collect(Collectors.toMap(HeaderDeclaration::name, HeaderDeclaration::signature));
        assertThat(signatures)
                .containsEntry("aclInit", "aclError aclInit(const char* configPath)")
                .containsEntry("aclFinalize", "aclError aclFinalize()")
                .containsEntry("aclGetRecentErrMsg", "char* aclGetRecentErrMsg()")
                .containsEntry(
                        "aclnnAddGetWorkspaceSize",
                        "aclnnStatus aclnnAddGetWorkspaceSize(aclTensor const* self, const aclTensor* other,"
                                + " const aclScalar* alpha, aclTensor* out, uint64_t* workspaceSize,"
                                + " aclOpExecutor** executor)")
                .containsEntry(
                        "aclrtMemcpyAsync",
                        "aclError aclrtMemcpyAsync(void*, size_t, const void*, unsigned long, aclrtMemcpyKind,"
                                + " aclrtStream)")
                .containsEntry("aclrtFree", "aclError aclrtFree(void* devPtr)")
                .containsEntry("aclrtMallocHost", "aclError aclrtMallocHost(void** hostPtr, size_t size)")
                .containsEntry("HcclGetCommName", "HcclResult HcclGetCommName(HcclComm comm, char* commName)")
                .hasSize(12);
    }

    @Test
    void readsEveryStyleAsTheTableHasIt() {
        HeaderParser.Contents contents = parse(resource("declarations.h"));
        Map<String, HeaderDeclaration> found = contents.declarations().stream()
                .collect(Collectors.toMap(HeaderDeclaration::name, Function.identity()));
        found.forEach((name, declaration) -> assertThat(declaration.parameters())
                .as(name)
                .hasSameSizeAs(AbiTable.load().function(name).parameters()));
    }

    @Test
    void followsTypedefs() {
        assertThat(parse(resource("declarations.h")).aliases())
                .containsEntry("aclrtStream", new CTypeName("void", 1))
                .containsEntry("aclrtEvent", new CTypeName("void", 1))
                .containsEntry("u64", new CTypeName("unsigned long long", 0))
                .containsEntry("PairHandle", new CTypeName("Pair", 1))
                .doesNotContainKeys("aclTensor", "aclDataType", "aclrtCallback", "Pair", "aclrtMemcpyKind");
        assertThat(parse("using aclError = int;").aliases()).containsEntry("aclError", new CTypeName("int", 0));
    }

    @Test
    void toleratesBrokenText() {
        for (String text : Set.of(
                "",
                "/*",
                "\"",
                "(",
                ")",
                "{",
                "}",
                "typedef",
                "typedef;",
                "#if 0",
                "aclInit(",
                "\\",
                "aclError aclInit(",
                "aclError aclInit(int",
                "typedef int;",
                "using x",
                "enum",
                "=;",
                "[[",
                "x [[ ( ;",
                "aclError aclInit(,)",
                "\u00e9\u4e2d;",
                "#",
                "a b(aclInit(",
                "'",
                "typedef struct { int a;")) {
            assertThat(parse(text)).as(text).isNotNull();
        }
    }

    @Test
    void dropsUpperCaseMacrosAndTheirArguments() {
        assertThat(only("API(\"a;b\") aclError NOTHROW aclInit(IN const char *path OPTIONAL) NOEXCEPT(true);"))
                .isEqualTo("aclError aclInit(const char* path)");
        assertThat(only("extern \"C\" aclError aclInit(const char *);")).isEqualTo("aclError aclInit(const char*)");
    }
}
