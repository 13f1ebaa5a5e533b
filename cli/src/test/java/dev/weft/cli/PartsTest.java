package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DeviceId;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceInfo;
import dev.weft.spi.support.LocalGroup;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.node.ObjectNode;

/** Pieces that need no device. */
class PartsTest {
    @Test
    void quantitiesForPeople() {
        assertThat(Units.bytes(0)).isEqualTo("0 B");
        assertThat(Units.bytes(1023)).isEqualTo("1023 B");
        assertThat(Units.bytes(7_934_134)).isEqualTo("7.6 MiB");
        assertThat(Units.bytes(Long.MAX_VALUE)).isEqualTo("8192.0 PiB");
        assertThat(Units.count(999)).isEqualTo("999");
        assertThat(Units.count(7_667_404)).isEqualTo("7.67 million");
        assertThat(Units.grouped(1 << 20)).isEqualTo("1,048,576");
        assertThat(Units.decimal(2, 1234.567)).isEqualTo("1234.57");
        assertThat(Units.decimal(2, 0.1)).isEqualTo("0.10");
        assertThat(Units.decimal(2, 0.01234)).isEqualTo("0.012");
        assertThat(Units.decimal(1, 1)).isEqualTo("1.0");
        assertThat(Units.decimal(0, 0)).isEqualTo("0");
        assertThat(Units.decimal(2, 0)).isEqualTo("0.00");
        assertThat(Units.decimal(2, Double.NaN)).isEqualTo("NaN");
        assertThat(Units.rate(10, 2_000_000_000L)).isEqualTo(5);
        assertThat(Units.rate(0, 0)).isZero();
    }

    @Test
    void nanIsNeverWithinATolerance() {
        DeviceTrial reference = trial(0, 1);
        assertThat(trial(0, 1).difference(reference).within(0)).isTrue();
        assertThat(trial(0, 1.5f).difference(reference).within(0.4)).isFalse();
        assertThat(trial(0, 1.5f).difference(reference).within(0.6)).isTrue();
        assertThat(trial(Float.NaN, 1).difference(reference).within(1e30)).isFalse();
    }

    @Test
    void rowsWithTheSameMostLikelyTokenAreCounted() {
        DeviceTrial.Difference d = trial(2, 1).difference(trial(0, 1));
        assertThat(d.agreeing()).isZero();
        assertThat(d.rows()).isOne();
        assertThat(d.largest()).isEqualTo(2);
    }

    private static DeviceTrial trial(float... row) {
        DeviceInfo device = new DeviceInfo(DeviceId.parse("cpu:0"), "", "reference", 0, List.of());
        return new DeviceTrial(device.id(), "", List.of(row), new Speed(device, 1, 1));
    }

    @Test
    void progressIsSilentWhereNobodyWatches() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Terminal terminal = new Terminal(new PrintStream(bytes), new PrintStream(bytes), false);
        try (Progress progress = new Progress(terminal, "x", Progress.Unit.BYTES, 10, 0)) {
            progress.accept(5);
        }
        assertThat(bytes.size()).isZero();
    }

    @Test
    void progressOfRanksIsDrawnByTheFirstAlone() {
        for (Communicator rank : LocalGroup.of(2, Duration.ofSeconds(1))) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            Terminal terminal = new Terminal(new PrintStream(bytes), new PrintStream(bytes), true);
            try (Progress progress = Progress.of(rank, terminal, "rounds", Progress.Unit.CASES, 10, 0)) {
                progress.accept(5);
            }
            assertThat(bytes.size() > 0).isEqualTo(rank.rank() == 0);
        }
    }

    @Test
    void progressIsDrawnAndRemovedForPeople() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Terminal terminal = new Terminal(new PrintStream(bytes), new PrintStream(bytes), true);
        try (Progress progress = new Progress(terminal, "tokens", Progress.Unit.TOKENS, 10, 0)) {
            progress.accept(5);
        }
        assertThat(bytes.toString()).contains("tokens: 5 of 10").endsWith("\r\033[K");
        bytes.reset();
        try (Progress progress = new Progress(terminal, "tokens", Progress.Unit.TOKENS, 10)) {
            progress.accept(5); // within the first two seconds
        }
        assertThat(bytes.size()).isZero();
    }

    @Test
    void anEmulatorHasNoSpeed() {
        DeviceInfo emulated = new DeviceInfo(DeviceId.parse("ascend:0"), "", DeviceInfo.EMULATOR, 0, List.of());
        Speed speed = new Speed(emulated, 123.4, 56.7);
        assertThat(List.of(speed.prefillText(), speed.decodeText(), speed.prefillColumn(), speed.decodeColumn()))
                .containsOnly("EMULATOR");
        ObjectNode json = Json.object();
        speed.toJson(json);
        assertThat(json.toString()).isEqualTo("{\"emulator\":true}");
        Speed real = new Speed(new DeviceInfo(emulated.id(), "", "hardware", 0, List.of()), 123.4, 56.7);
        assertThat(List.of(real.prefillText(), real.decodeText())).containsExactly("123.4 tokens/s", "56.7 tokens/s");
    }
}
