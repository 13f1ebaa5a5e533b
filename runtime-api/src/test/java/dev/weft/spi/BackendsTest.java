package dev.weft.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DeviceId;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Order, lookup and closing of backends. */
class BackendsTest {
    private final List<String> log = new ArrayList<>();

    /** A backend without devices that writes down what happens to it. */
    private record Recorded(String name, Probe probe, SpiVersion spiVersion, List<String> log)
            implements BackendProvider {
        @Override
        public Backend open(BackendConfig config) {
            log.add("open " + name);
            return new Backend() {
                @Override
                public List<DeviceInfo> devices() {
                    return List.of(new DeviceInfo(new DeviceId(name, 0, ""), "none", "emulator", 0, List.of()));
                }

                @Override
                public BackendDevice open(DeviceId id) {
                    throw new BackendUnavailableException("device " + id + ": there is none");
                }

                @Override
                public void close() {
                    log.add("close " + name);
                }
            };
        }
    }

    private BackendProvider provider(String name, int priority) {
        return new Recorded(name, new Probe.Available(priority, "1"), SpiVersion.CURRENT, log);
    }

    private static List<String> names(Backends b) {
        return b.statuses().stream().map(Backends.Status::name).toList();
    }

    @Test
    void bestFirstThenByNameThenTheAbsent() {
        BackendProvider absent = new Recorded("gone", new Probe.Absent("no card"), SpiVersion.CURRENT, log);
        Backends b = Backends.of(
                BackendConfig.DEFAULT, List.of(absent, provider("slow", 1), provider("b", 200), provider("a", 200)));
        assertThat(names(b)).containsExactly("a", "b", "slow", "gone");
        assertThat(b.devices()).extracting(d -> d.id().toString()).containsExactly("a:0", "b:0", "slow:0");
        assertThatThrownBy(() -> b.device(DeviceId.parse("gone:0")))
                .isInstanceOf(BackendUnavailableException.class)
                .hasMessageContaining("no card");
        b.close();
    }

    @Test
    void backendsOpenAtFirstUseAndCloseInReverse() {
        Backends b = Backends.of(BackendConfig.DEFAULT, List.of(provider("a", 2), provider("b", 1)));
        assertThat(log).isEmpty();
        assertThatThrownBy(() -> b.device(DeviceId.parse("b:3"))).hasMessageContaining("b:3");
        b.devices();
        b.close();
        b.close();
        assertThat(log).containsExactly("open b", "open a", "close a", "close b");
        assertThatThrownBy(b::devices).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> b.device(DeviceId.parse("a:0"))).isInstanceOf(ClosedException.class);
    }

    @Test
    void versionsOfTheInterface() {
        assertThat(new SpiVersion(1, 0).runsOn(new SpiVersion(1, 2))).isTrue();
        assertThat(new SpiVersion(1, 3).runsOn(new SpiVersion(1, 2))).isFalse();
        assertThat(new SpiVersion(2, 0).runsOn(new SpiVersion(1, 2))).isFalse();
        BackendProvider later = new Recorded("later", new Probe.Available(1, "1"), new SpiVersion(9, 1), log);
        Backends b = Backends.of(BackendConfig.DEFAULT, List.of(later));
        assertThatThrownBy(() -> b.device(DeviceId.parse("later:0")))
                .isInstanceOf(BackendUnavailableException.class)
                .hasMessageContainingAll("9.1", SpiVersion.CURRENT.toString(), "matching versions");
        b.close();
    }
}
