package dev.weft.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CheckpointException;
import dev.weft.RequestException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of devices that users write. */
class HardwareCatalogTest {
    private static final String BOX = """
            {"kind": "Box", "name": "a box", "memoryGB": 24, "memoryTBps": 0.1, "fp8PF": 0.02, "bf16PF": 0.01,
             "linkGBps": 10, "source": "guess"%s}""";

    @TempDir
    private Path folder;

    private HardwareCatalog read(String json) throws IOException {
        return HardwareCatalog.read(Files.writeString(folder.resolve("devices.json"), json));
    }

    @Test
    void measuredRatesReplaceThoseThatWereMeasured() throws IOException {
        Hardware h = read("{\"devices\": [" + BOX.formatted(", \"measured\": {\"memoryTBps\": 0.08}") + "]}")
                .find("bOX");
        assertThat(h.kind()).isEqualTo("box");
        assertThat(h.published()).isEqualTo(new Peaks(0.1e12, 0.02e15, 0.01e15, null, 10e9));
        assertThat(h.measured()).isEqualTo(new Peaks(0.08e12, 0.02e15, 0.01e15, null, 10e9));
        assertThat(h.usableBytes()).isEqualTo(0.9 * 24e9);
        assertThat(read("{\"devices\": [" + BOX.formatted("") + "]}")
                        .find("box")
                        .measured())
                .isNull();
    }

    @Test
    void faultsAreNamed() {
        String twice = "{\"devices\": [" + BOX.formatted("") + ", " + BOX.formatted("") + "]}";
        assertThatThrownBy(() -> read(twice))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("devices[1].kind: found \"Box\", expected a name that no other device has");
        String zero = "{\"devices\": [" + BOX.formatted("").replace("0.1,", "0,") + "]}";
        assertThatThrownBy(() -> read(zero)).hasMessageContaining("devices[0].memoryTBps: found 0, expected a number");
        assertThatThrownBy(() -> read("{\"devices\": [3]}"))
                .hasMessageContaining("devices[0]: found 3, expected an object");
        assertThatThrownBy(() -> read("{}")).hasMessageContaining("devices is missing");
        assertThatThrownBy(() -> HardwareCatalog.read(folder.resolve("none.json")))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("none.json: does not exist");
        assertThatThrownBy(() -> HardwareCatalog.builtIn().find("tpu"))
                .isInstanceOf(RequestException.class)
                .hasMessage("hardware: found 'tpu', expected one of [950dt, 950pr, a3, a2, h200, b200, gb200, gb10]");
    }
}
