package dev.weft.backend.ascend.abi;

import static dev.weft.backend.ascend.abi.CannTree.LIBC;
import static dev.weft.backend.ascend.abi.CannTree.LIBM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Functions of the C library stand for CANN's: {@code labs} for an operator, {@code cbrt} for a vendor's. */
@EnabledOnOs(OS.LINUX)
class CannLibrariesTest {
    private static final AbiTable TABLE = AbiTable.parse(List.of(
            "libacl_rt.so | libascendcl.so\taclInit\taclError\tconst char* path\t<=8.1\t\t2+ sources\t",
            "libacl_rt.so\tstrlen\tsize_t\tconst char* text\t<=8.1\t\t2+ sources\t",
            "libopapi_math.so | libopapi.so\tlabs\tint64_t\tint64_t x\t<=8.1\t\t2+ sources\t",
            "libopapi_math.so | libopapi.so\tabs\tint\tint x\t9.x master (2026)\t\t1 source\t",
            "libopapi_math.so | libopapi.so\ttoupper\tint\tint c\t<=8.1\t\t1 source\t",
            "libopapi_math.so | libopapi.so\ttoupperGetWorkspaceSize\tint\tint c\t<=8.1\t\t1 source\t",
            "libopapi_math.so | libopapi.so\tcbrt\tdouble\tdouble x\t<=8.1\t\t1 source\t",
            "libcust_opapi.so (a vendor)\tcbrt\tfloat\tfloat x\tmain\t\tinferred\t",
            "libcust_opapi.so (a vendor)\tlabs\tint64_t\tint64_t x\tmain\t\tinferred\t",
            "libopapi.so (optional)\tgetpid\tint\tvoid\t<=8.1\t\t1 source\t"));

    @TempDir
    private Path folder;

    private CannTree tree;

    @BeforeEach
    void install() {
        tree = new CannTree(folder.resolve("cann"))
                .library("lib64/libacl_rt.so", LIBC)
                .library("lib64/libnnopbase.so", LIBC)
                .library("lib64/libopapi_math.so", LIBC);
    }

    @AfterEach
    void unlink() {
        CannTree.unlink(folder);
    }

    private CannLibraries open(boolean unverified) {
        CannLibraries.Result result = CannLibraries.open(tree.home(), TABLE, unverified);
        assertThat(result).isInstanceOf(CannLibraries.Opened.class);
        return ((CannLibraries.Opened) result).libraries();
    }

    private Resolution resolve(String key) {
        return open(false).resolve(key);
    }

    @Test
    void bindsWhatTheHeaderDeclaresAndCallsIt() throws Throwable {
        tree.file("include/aclnnop/labs.h", "int64_t labs(long long value);");
        CannLibraries cann = open(false);
        assertThat(cann.resolve("labs")).isInstanceOfSatisfying(Resolution.Bound.class, b -> {
            assertThat(b.library()).endsWith("libopapi_math.so");
            assertThat(b.check()).contains("labs.h");
        });
        assertThat((long) cann.handle("labs").invokeExact(-5L)).isEqualTo(5L);
        assertThat(cann.handle("labs")).isSameAs(cann.handle("labs"));
        assertThat(cann.symbols().find("labs")).isPresent();
    }

    @Test
    void librariesOpenWhenTheyAreNeeded() {
        CannLibraries cann = open(false);
        assertThat(cann.openings()).containsOnlyKeys("libacl_rt.so");
        cann.resolve("labs");
        assertThat(cann.openings().keySet()).containsSubsequence("libacl_rt.so", "libnnopbase.so", "libopapi_math.so");
    }

    @Test
    void refusesAnotherSignature() {
        tree.file("include/aclnnop/labs.h", "int64_t labs(int64_t x, double y);");
        CannLibraries cann = open(true);
        assertThat(cann.resolve("labs")).isInstanceOfSatisfying(Resolution.Mismatch.class, m -> {
            assertThat(m.tableSignature()).isEqualTo("int64_t labs(int64_t x)");
            assertThat(m.headerSignature()).isEqualTo("int64_t labs(int64_t x, double y)");
        });
        assertThatThrownBy(() -> cann.handle("labs"))
                .isInstanceOf(BackendUnavailableException.class)
                .hasMessageContaining("labs")
                .hasMessageContaining("2 parameters, the table 1");
        assertThat(cann.symbols().find("labs")).isEmpty();
    }

    @Test
    void missingSaysWhereItWasSearched() {
        assertThat(resolve("aclInit"))
                .isInstanceOfSatisfying(
                        Resolution.Missing.class,
                        m -> assertThat(m.reason()).contains("libacl_rt.so", "libascendcl.so"));
        assertThat(resolve("nothing"))
                .isInstanceOfSatisfying(
                        Resolution.Missing.class, m -> assertThat(m.reason()).contains("table"));
    }

    @Test
    void anOperatorNeedsBothPhases() {
        tree.file("include/aclnnop/toupper.h", "int toupper(int c); int toupperGetWorkspaceSize(int c);");
        assertThat(resolve("toupper"))
                .isInstanceOfSatisfying(
                        Resolution.Missing.class,
                        m -> assertThat(m.reason()).contains("lacks its other phase toupperGetWorkspaceSize"));
    }

    @Test
    void withoutHeadersOperatorsNeedPermissionAndAKnownVersion() {
        assertThat(resolve("labs"))
                .isInstanceOfSatisfying(
                        Resolution.Unverified.class,
                        u -> assertThat(u.reason()).contains("no headers are installed", "unknown", "8.1"));
        assertThat(open(true).resolve("labs")).as("no version").isInstanceOf(Resolution.Unverified.class);
        tree.file("version.info", "Version=9.1.0\n");
        assertThat(resolve("labs"))
                .isInstanceOfSatisfying(
                        Resolution.Unverified.class,
                        u -> assertThat(u.reason()).contains("-Dweft.ascend.unverified=true"));
        CannLibraries allowed = open(true);
        assertThat(allowed.resolve("labs"))
                .isInstanceOfSatisfying(
                        Resolution.Bound.class, b -> assertThat(b.check()).contains("allowed for CANN 9.1.0"));
        assertThat(allowed.resolve("abs")).as("only seen in development").isInstanceOf(Resolution.Unverified.class);
    }

    @Test
    void theRuntimeNeedsNoHeaders() {
        assertThat(resolve("strlen"))
                .isInstanceOfSatisfying(
                        Resolution.Bound.class, b -> assertThat(b.check()).contains("no headers are installed"));
    }

    @Test
    void aVendorsFormIsItsOwn() throws Throwable {
        tree.library("opp/vendors/acme/op_api/lib/libcust_opapi.so", LIBM)
                .file("opp/vendors/acme/op_api/include/cbrt.h", "double cbrt(double x);")
                .file("include/aclnnop/labs.h", "int64_t labs(int64_t x);");
        CannLibraries cann = open(false);
        assertThat(cann.resolve("cbrt@vendor"))
                .as("built with CANN's signature")
                .isInstanceOf(Resolution.Mismatch.class);
        assertThat(cann.resolve("cbrt"))
                .as("CANN lacks it, a package built from its sources has it")
                .isInstanceOfSatisfying(
                        Resolution.Bound.class, b -> assertThat(b.library()).contains("acme"));
        assertThat((double) cann.handle("cbrt").invokeExact(8.0)).isEqualTo(2.0);
        assertThat(cann.resolve("labs@vendor"))
                .as("found in its dependency, which is CANN's library")
                .isInstanceOf(Resolution.Missing.class);
    }

    @Test
    void withoutPackagesAVendorsFormIsMissing() {
        assertThat(resolve("cbrt@vendor"))
                .isInstanceOfSatisfying(
                        Resolution.Missing.class, m -> assertThat(m.reason()).contains("ASCEND_CUSTOM_OPP_PATH"));
    }

    @Test
    void theFamiliesNeverMeet() {
        tree.library("lib64/libopapi.so", LIBC);
        assertThat(resolve("getpid"))
                .isInstanceOfSatisfying(
                        Resolution.Missing.class, m -> assertThat(m.reason()).contains("other family"));
        open(false).resolve("labs"); // operators of CANN 9 are in the process now
        tree = new CannTree(folder.resolve("old"))
                .library("lib64/libascendcl.so", LIBC)
                .library("lib64/libopapi.so", LIBC);
        assertThat(tree.home().family()).isEqualTo(CannFamily.CANN_8);
        assertThat(resolve("labs"))
                .isInstanceOfSatisfying(
                        Resolution.Missing.class, m -> assertThat(m.reason()).contains("operators of CANN_9"));
    }

    @Test
    void aLibraryThatDoesNotOpenSaysWhy() {
        tree = new CannTree(folder.resolve("broken")).file("lib64/libacl_rt.so", "not a library");
        assertThat(CannLibraries.open(tree.home(), TABLE, false))
                .isInstanceOfSatisfying(
                        CannLibraries.Failed.class,
                        f -> assertThat(f.reason()).contains("libacl_rt.so does not open", "set_env.sh"));
    }

    @Test
    void theReportCountsAndExplains() {
        tree.file("include/aclnnop/labs.h", "int64_t labs(int64_t x, double y);");
        CannReport report = CannReport.of(open(false));
        assertThat(report.functions())
                .as("two phases are one")
                .hasSize(TABLE.functions().size() - 1);
        assertThat(report.count(CannReport.State.MISMATCH)).isEqualTo(1);
        assertThat(report.count(CannReport.State.BOUND)).as("strlen").isEqualTo(1);
        assertThat(report.lines())
                .anyMatch(l -> l.contains("2+ sources") && l.contains("labs") && l.contains("mismatch"));
        assertThat(report.libraries()).extracting(CannReport.Library::file).contains("libopapi_math.so", "libopapi.so");
    }
}
