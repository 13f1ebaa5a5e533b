package dev.weft.backend.ascend.abi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Holds the table against the installation that {@code weft.ascend.home} names, in tests the emulator's. */
class InstallationTest {
    /** Functions without an exported symbol in CANN 9: one is inline, the others were in the operators of CANN 8. */
    private static final List<String> NOT_EXPORTED =
            List.of("HcclCommConfigInit", "InitHugeMemThreadLocal", "UnInitHugeMemThreadLocal", "ReleaseHugeMem");

    private CannLibraries cann;

    @BeforeEach
    void open() {
        CannHome.Result located = CannHome.locate();
        assumeTrue(located instanceof CannHome.Found, () -> "skipped: " + ((CannHome.Absent) located).reason());
        CannHome home = ((CannHome.Found) located).home();
        assumeTrue(home.family() == CannFamily.CANN_9, "skipped: other tests load operators of CANN 9");
        CannLibraries.Result result = CannLibraries.open(home);
        assertThat(result).isInstanceOf(CannLibraries.Opened.class);
        cann = ((CannLibraries.Opened) result).libraries();
    }

    @Test
    void everyFunctionIsBoundAndAgreesWithItsHeader() {
        assumeTrue(cann.runtimeVersion().orElse("").contains("EMULATOR"), "skipped: not the emulator");
        for (AbiFunction function : cann.table().functions()) {
            Resolution resolution = cann.resolve(function.key());
            if (function.vendor() || NOT_EXPORTED.contains(function.name())) {
                assertThat(resolution).as(function.key()).isInstanceOf(Resolution.Missing.class);
            } else {
                assertThat(resolution)
                        .as(function.key())
                        .isInstanceOfSatisfying(
                                Resolution.Bound.class,
                                b -> assertThat(b.check()).startsWith("agrees with"));
            }
        }
    }

    @Test
    void functionsCanBeCalled() throws Throwable {
        assertThat((int) cann.handle("aclDestroyTensor").invokeExact(MemorySegment.NULL))
                .as("destroying nothing is allowed")
                .isZero();
        assertThat(cann.runtimeVersion()).isPresent();
    }

    @Test
    void theReportIsComplete() {
        CannReport report = CannReport.of(cann);
        assertThat(report.count(CannReport.State.MISMATCH)).isZero();
        assertThat(report.count(CannReport.State.UNVERIFIED)).isZero();
        assertThat(report.lines().getFirst()).contains(cann.home().root().toString());
        assertThat(report.libraries()).extracting(CannReport.Library::file).contains("libhccl.so", "libopapi_nn.so");
    }
}
