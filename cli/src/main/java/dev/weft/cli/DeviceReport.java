package dev.weft.cli;

import dev.weft.runtime.Weft;
import dev.weft.spi.DeviceInfo;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The devices of this machine and what is absent.
 *
 * @param devices devices of the available backends, best first
 * @param absent reason per backend that cannot be used
 */
record DeviceReport(List<DeviceInfo> devices, Map<String, String> absent) {
    static DeviceReport of(Weft weft) {
        return new DeviceReport(weft.deviceInfos(), KnownBackends.absent(weft.backends()));
    }

    void print(Terminal terminal) {
        for (DeviceInfo d : devices) {
            terminal.printf("%-10s %s%n", d.id(), d.description());
            terminal.printf("%-10s tier %s, memory %s", "", d.tier(), memory(d.memoryBytes()));
            if (!d.variants().isEmpty()) {
                terminal.printf(", also as %s", ids(d));
            }
            terminal.printf("%n");
        }
        absent.forEach((name, reason) -> terminal.printf("%-10s absent: %s%n", name, reason));
    }

    void toJson(ObjectNode target) {
        ArrayNode list = target.putArray("devices");
        for (DeviceInfo d : devices) {
            ObjectNode node = list.addObject()
                    .put("id", d.id().toString())
                    .put("description", d.description())
                    .put("tier", d.tier())
                    .put("memoryBytes", d.memoryBytes());
            ArrayNode variants = node.putArray("variants");
            d.variants().forEach(variants::add);
        }
        ArrayNode missing = target.putArray("absent");
        absent.forEach(
                (name, reason) -> missing.addObject().put("backend", name).put("reason", reason));
    }

    private static String ids(DeviceInfo d) {
        return String.join(
                ", ", d.variants().stream().map(v -> d.id() + "/" + v).toList());
    }

    private static String memory(long bytes) {
        return bytes == 0 ? "unknown" : Units.bytes(bytes);
    }
}
