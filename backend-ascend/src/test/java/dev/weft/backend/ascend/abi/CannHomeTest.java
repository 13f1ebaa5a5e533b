package dev.weft.backend.ascend.abi;

import static dev.weft.backend.ascend.abi.CannTree.LIBC;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(OS.LINUX)
class CannHomeTest {
    @TempDir
    private Path folder;

    @AfterEach
    void unlink() {
        CannTree.unlink(folder);
    }

    private static String reason(CannHome.Result result) {
        assertThat(result).isInstanceOf(CannHome.Absent.class);
        return ((CannHome.Absent) result).reason();
    }

    private static CannHome.Result locate(String property, Map<String, String> environment) {
        return new CannSearch(p -> p.equals(CannHome.PROPERTY) ? property : null, environment::get).run();
    }

    @Test
    void thePropertyDecidesAlone() {
        CannTree good = new CannTree(folder.resolve("good")).library("lib64/libacl_rt.so", LIBC);
        assertThat(reason(locate(
                        folder.resolve("none").toString(),
                        Map.of("ASCEND_HOME_PATH", good.root().toString()))))
                .contains("none is not a folder")
                .contains(CannHome.PROPERTY);
        assertThat(reason(locate("\0", Map.of()))).contains("is not a path");
    }

    @Test
    void theEnvironmentIsSearchedInOrder() {
        CannTree first = new CannTree(folder.resolve("first")).file("lib64/readme", "empty");
        CannTree second = new CannTree(folder.resolve("second")).library("lib64/libascendcl.so", LIBC);
        CannHome.Result result = locate(
                null,
                Map.of(
                        "ASCEND_HOME_PATH", first.root().toString(),
                        "ASCEND_TOOLKIT_HOME", second.root().toString()));
        assertThat(result).isInstanceOfSatisfying(CannHome.Found.class, f -> {
            assertThat(f.home().root()).isEqualTo(second.root());
            assertThat(f.home().origin()).isEqualTo("ASCEND_TOOLKIT_HOME");
            assertThat(f.home().family()).isEqualTo(CannFamily.CANN_8);
        });
        assertThat(reason(locate(null, Map.of("ASCEND_HOME_PATH", first.root().toString()))))
                .contains("ASCEND_TOOLKIT_HOME is not set")
                .contains("no libacl_rt.so or libascendcl.so");
    }

    @Test
    void theFamilyIsTheOneOfTheSplitLibraries() {
        CannTree tree = new CannTree(folder).library("lib64/libacl_rt.so", LIBC).library("lib64/libopapi.so", LIBC);
        assertThat(tree.home().family()).isEqualTo(CannFamily.CANN_8);
        tree.library("lib64/libopapi_nn.so", LIBC);
        assertThat(tree.home().family()).isEqualTo(CannFamily.CANN_9);
    }

    @Test
    void stubsAreNeverLoaded() {
        CannTree tree =
                new CannTree(folder).file("lib64/stub/libacl_rt.so", "stub").file("devlib/libnnopbase.so", "stub");
        tree.library("lib64/libacl_rt.so", folder.resolve("lib64/stub/libacl_rt.so"));
        assertThat(reason(locate(folder.toString(), Map.of()))).contains("outside stub folders");
        tree.library("lib64/libascendcl.so", LIBC);
        tree.library("lib64/libnnopbase.so", folder.resolve("devlib/libnnopbase.so"));
        assertThat(tree.home().library("libacl_rt.so")).isEmpty();
        assertThat(tree.home().library("libnnopbase.so")).isEmpty();
        assertThat(tree.home().library("libascendcl.so")).contains(folder.resolve("lib64/libascendcl.so"));
    }

    @Test
    void theVersionComesFromTheInstallersFiles() {
        String arch = System.getProperty("os.arch").replace("amd64", "x86_64");
        CannTree tree = new CannTree(folder.resolve("8.5.1")).library("lib64/libacl_rt.so", LIBC);
        assertThat(tree.home().version().map(CannVersion::text)).contains("8.5.1");
        tree.file(
                arch + "-linux/ascend_toolkit_install.info", "package_name=Ascend-cann-toolkit\nversion=9.1.0.beta2\n");
        assertThat(tree.home().version()).contains(new CannVersion(9, 1, "9.1.0.beta2"));
        CannTree none = new CannTree(folder.resolve("cann")).library("lib64/libacl_rt.so", LIBC);
        assertThat(none.home().version()).isEmpty();
    }

    @Test
    void versionsKnowTheirSignatures() {
        CannVersion old = CannVersion.find("CANN 8.1.RC1").orElseThrow();
        assertThat(old).isEqualTo(new CannVersion(8, 1, "8.1.RC1"));
        assertThat(old.listed()).isTrue();
        assertThat(old.has("<=8.1")).isTrue();
        assertThat(old.has("8.3..8.5")).isFalse();
        CannVersion recent = CannVersion.find("9.2.0-beta.2").orElseThrow();
        assertThat(recent).isGreaterThan(old);
        assertThat(recent.has("8.3..8.5")).isTrue();
        assertThat(recent.has(">8.1 (present mid-2026, 9.x)")).isTrue();
        assertThat(recent.has("9.x master (2026)"))
                .as("seen in development only")
                .isFalse();
        assertThat(new CannVersion(7, 0, "7.0").listed()).isFalse();
        assertThat(CannVersion.find("none")).isEqualTo(Optional.empty());
        AbiTable.load()
                .functions()
                .forEach(f -> assertThat(f.since())
                        .isIn(
                                "<=8.1",
                                "8.3..8.5",
                                ">8.1 (present mid-2026, 9.x)",
                                "9.x master (2026)",
                                "vllm-ascend main 2026"));
    }

    @Test
    void vendorsAreListedInTheirOrder() {
        CannTree tree = new CannTree(folder.resolve("cann"))
                .library("lib64/libacl_rt.so", LIBC)
                .library("opp/vendors/inside/op_api/lib/libcust_opapi.so", LIBC)
                .file("opp/vendors/empty/readme", "no library");
        CannTree outside = new CannTree(folder.resolve("outside")).library("op_api/lib/libcust_opapi.so", LIBC);
        assertThat(tree.home(folder.resolve("none").toString(), outside.root().toString())
                        .vendors())
                .extracting(CannHome.Vendor::name)
                .containsExactly("outside", "inside");
        assertThat(tree.home().vendors()).extracting(CannHome.Vendor::name).containsExactly("inside");
    }

    @Test
    void headersOfBothLayoutsAreFound() {
        CannTree tree = new CannTree(folder)
                .library("lib64/libacl_rt.so", LIBC)
                .file("include/acl/acl.h", "")
                .file("include/other/other.h", "")
                .file("opp/built-in/op_impl/ai_core/tbe/op_api/include/aclnnop/level2/aclnn_add.h", "");
        assertThat(tree.home().includeFolders())
                .containsExactly(
                        folder.resolve("include/acl"),
                        folder.resolve("opp/built-in/op_impl/ai_core/tbe/op_api/include/aclnnop"));
    }
}
