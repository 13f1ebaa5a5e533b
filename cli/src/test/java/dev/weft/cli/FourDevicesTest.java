package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.conformance.model.GoldenModel;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/**
 * {@code weft compare} over the native CPU kernels, those of the Vector API and an emulated Ascend device, against the
 * scalar reference: on a tiny golden model where those are at hand, else on the smallest one.
 */
@Tag("long")
class FourDevicesTest {
    @Test
    void everyNodeIsRightOnAllOfThem() {
        try (EmulatedCann cann = new EmulatedCann()) {
            compare();
        }
    }

    private static void compare() {
        GoldenModel model = GoldenModel.all().stream()
                .filter(m -> m.name().equals("tiny-flash"))
                .findFirst()
                .orElseGet(GoldenModel::micro);
        Run run = Run.of(
                "compare",
                model.directory(),
                "--devices",
                "cpu:0,cpu:0/vector,ascend:0",
                "--prompt",
                12,
                "--decode",
                1,
                "--rounds",
                1,
                "--json");
        assertThat(run.code())
                .as(run.err() + run.out().lines().limit(40).toList())
                .isZero();
        JsonNode mode = run.json().path("modes").path(0);
        int nodes = mode.path("nodes").size();
        assertThat(nodes).isGreaterThan(200);
        assertThat(mode.path("devices").size()).isEqualTo(3);
        for (JsonNode device : mode.path("devices")) {
            assertThat(device.path("nodes").path("right").asInt())
                    .as(device.toString())
                    .isEqualTo(nodes);
            boolean emulated = device.path("device").asString().equals("ascend:0");
            assertThat(device.path("tier").asString()).isEqualTo(emulated ? "emulator" : "hardware");
            assertThat(device.path("steps").size()).as("times shown").isEqualTo(emulated ? 0 : 2);
        }
        assertThat(StreamSupport.stream(mode.path("nodes").spliterator(), false)
                        .map(n -> n.path("results").path(2)))
                .allSatisfy(r -> assertThat(r.path("seconds").isNull()).isTrue());
    }
}
