package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.conformance.model.GoldenModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What {@code weft devices --verbose} and {@code weft verify} say of an installed library, on the CANN emulator. */
@Tag("long")
class VendorFunctionsTest {
    @Test
    void fourReasonsAreToldApart(@TempDir Path folder) throws IOException {
        try (EmulatedCann cann = new EmulatedCann()) {
            cann.damage(folder, "libopapi_transformer.so", "aclnn_cos.h", "aclTensor* out", "int64_t out");
            cann.configure("fail", "aclnnAddGetWorkspaceSize:1:561003,aclnnMulGetWorkspaceSize:1:161002");
            String out = Run.of("devices", "--verbose").out();
            assertThat(out)
                    .containsPattern("aclnnMhcPost: missing: .*libopapi_transformer.so")
                    .containsPattern("aclnnCos: mismatch: .*int64_t out")
                    .containsPattern("aclnnAdd: refused by the device: .*561003")
                    .containsPattern("aclnnMul: bad shape: .*161002")
                    .containsPattern("functions that operators call were asked, none run: [0-9]+ accepted, 1 bad shape,"
                            + " 1 refused by the device, 1 mismatch, [0-9]+ missing");
        }
    }

    /** What loses the device is named, and the other cases run. */
    @Test
    void aLostDeviceIsOpenedAgain() {
        try (EmulatedCann cann = new EmulatedCann()) {
            cann.configure("fail", "stream:50:507015");
            Run run = Run.of("verify", "--device", "ascend:0", "--ops", "rotary");
            assertThat(run.code()).isEqualTo(ExitCode.FAILED);
            assertThat(run.out())
                    .containsPattern("rotary +([0-9]{2}) passed +1 failed +0 unsupported")
                    .containsPattern("    rotary.*: device ascend:0 is lost; first cause: .*507015");
        }
    }

    /** A device that every case loses is given up after some. */
    @Test
    void aDeviceThatIsLostAgainAndAgainIsGivenUp() {
        try (EmulatedCann cann = new EmulatedCann()) {
            cann.configure(
                    "fail",
                    IntStream.range(0, 2000)
                            .mapToObj(i -> "stream:" + (50 + i) + ":507015")
                            .collect(Collectors.joining(",")));
            Run run = Run.of("verify", "--device", "ascend:0", "--ops", "rotary", "--json");
            assertThat(run.code()).isEqualTo(ExitCode.FAILED);
            List<String> failures = run.json().path("operators").path(0).path("failures").values().stream()
                    .map(JsonNode::asString)
                    .toList();
            assertThat(failures)
                    .filteredOn(f -> f.contains("is lost; first cause"))
                    .hasSize(10);
            assertThat(failures.getLast()).endsWith("not run: ascend:0 was lost 10 times");
        }
    }

    @Test
    void aReportFromTheEmulatorSaysSoAndShowsNoTime() {
        try (EmulatedCann cann = new EmulatedCann()) {
            Run run = Run.of(
                    "verify",
                    "--device",
                    "ascend:0",
                    "--ops",
                    "hyperpost",
                    "--model",
                    GoldenModel.micro().directory());
            assertThat(run.code()).as(run.err() + run.out()).isZero();
            assertThat(run.out())
                    .startsWith("ascend:0 (EMULATOR of Ascend950DT_9591, no hardware")
                    .containsPattern("[0-9]+ functions that operators call were asked, none run: [0-9]+ accepted\\R")
                    .containsPattern("hyperPost +[1-9][0-9]* passed +0 failed +0 unsupported")
                    .containsPattern("model .*, numerics fp32: ([0-9]+) of \\1 nodes right")
                    .doesNotContainPattern("[0-9] *(ns|us|ms|s|sec|seconds|t/s|GB/s|GiB/s)\\b");
            JsonNode root = Run.of("verify", "--device", "ascend:0", "--ops", "hyperpost", "--json")
                    .json();
            assertThat(root.path("tier").asString()).isEqualTo("emulator");
            assertThat(root.path("details").values())
                    .anySatisfy(line -> assertThat(line.asString()).containsPattern("functions: [0-9]+ bound"));
            assertThat(root.path("functions").values())
                    .anySatisfy(f -> assertThat(f.path("function").asString()).isEqualTo("aclnnMhcPost"));
        }
    }
}
