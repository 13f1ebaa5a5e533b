package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class DevicesTest {
    @Test
    void jsonNamesTheProcessorAndWhatIsAbsent() {
        Run run = Run.of("devices", "--json");
        assertThat(run.code()).isZero();
        JsonNode cpu = run.json().path("devices").values().stream()
                .filter(d -> d.path("id").asString().equals("cpu:0"))
                .findFirst()
                .orElseThrow();
        assertThat(cpu.path("tier").asString()).isEqualTo("hardware");
        assertThat(cpu.path("description").asString()).isNotEmpty();
        assertThat(cpu.path("variants").values()).extracting(JsonNode::asString).contains("scalar");
        assertThat(run.json().path("absent").values())
                .allSatisfy(a -> assertThat(a.path("reason").asString()).isNotEmpty());
    }

    @Test
    void whatIsAbsentIsNamedWithItsReason() {
        Run run = Run.of("devices");
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("cpu:0").containsPattern("cuda +absent: no libcuda.so.1|cuda:0");
    }

    @Test
    void backendsThatAreNotOnThePathAreNamedWithTheirArtifact() {
        assertThat(KnownBackends.absent(List.of()))
                .containsEntry("cuda", "not on the class path: add weft-backend-cuda")
                .containsEntry("ascend", "not on the class path: add weft-backend-ascend");
    }

    @Test
    void verboseOpensEveryVariant() {
        JsonNode root = Run.of("devices", "--verbose", "--json").json();
        assertThat(root.path("variants").values())
                .hasSize(root.path("devices").values().stream()
                        .mapToInt(d -> d.path("variants").size())
                        .sum())
                .noneSatisfy(v -> assertThat(v.path("description").asString()).startsWith("does not open"));
        assertThat(root.path("processors").asInt())
                .isEqualTo(Runtime.getRuntime().availableProcessors());
    }
}
