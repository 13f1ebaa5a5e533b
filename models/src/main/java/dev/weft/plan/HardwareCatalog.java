package dev.weft.plan;

import dev.weft.CheckpointException;
import dev.weft.RequestException;
import dev.weft.io.support.ConfigReader;
import dev.weft.io.support.ModelFile;
import dev.weft.io.support.StrictJson;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Kinds of devices from a JSON file: an object with the list {@code devices}, each with {@code kind}, {@code name},
 * {@code memoryGB}, {@code memoryTBps}, {@code fp8PF}, {@code bf16PF}, {@code source}, and optionally {@code fp4PF}, {@code
 * linkGBps} per direction, without which there is nothing to send to, and {@code measured}, an object with {@code memoryTBps}, {@code fp8PF}, {@code bf16PF},
 * {@code fp4PF}, {@code linkGBps}, of which what is missing is taken as published. Units are decimal.
 */
public final class HardwareCatalog {
    private static final long MAX_BYTES = 1L << 20;
    private static final double GIGA = 1e9;
    private static final double TERA = 1e12;
    private static final double PETA = 1e15;
    private static final double LEAST = 1e-9;
    private static final double MOST = 1e9;

    private final Map<String, Hardware> kinds = new LinkedHashMap<>();

    private HardwareCatalog(Collection<Hardware> kinds) {
        kinds.forEach(h -> this.kinds.put(h.kind(), h));
    }

    private HardwareCatalog(byte[] json, String subject) {
        for (ConfigReader c : new ConfigReader(subject, StrictJson.object(json, subject)).sections("devices")) {
            Hardware h = hardware(c);
            c.require(kinds.put(h.kind(), h) == null, "kind", "a name that no other device has");
        }
    }

    private static Hardware hardware(ConfigReader c) {
        Peaks published = peaks(c, null);
        return new Hardware(
                c.text("kind").toLowerCase(Locale.ROOT),
                c.text("name"),
                positive(c, "memoryGB") * GIGA,
                published,
                c.has("measured") ? peaks(c.section("measured"), published) : null,
                c.text("source"));
    }

    private static Peaks peaks(ConfigReader c, @Nullable Peaks absent) {
        return new Peaks(
                rate(c, "memoryTBps", TERA, absent == null ? null : absent.memory()),
                rate(c, "fp8PF", PETA, absent == null ? null : absent.fp8()),
                rate(c, "bf16PF", PETA, absent == null ? null : absent.bf16()),
                c.has("fp4PF") ? Double.valueOf(positive(c, "fp4PF") * PETA) : absent == null ? null : absent.fp4(),
                rate(c, "linkGBps", GIGA, absent == null ? Double.valueOf(Double.POSITIVE_INFINITY) : absent.link()));
    }

    private static double rate(ConfigReader c, String key, double unit, @Nullable Double absent) {
        return absent != null && !c.has(key) ? absent : positive(c, key) * unit;
    }

    private static double positive(ConfigReader c, String key) {
        return c.real(key, LEAST, MOST);
    }

    /** The kinds that Weft knows. */
    public static HardwareCatalog builtIn() {
        try (InputStream in = HardwareCatalog.class.getResourceAsStream("hardware.json")) {
            if (in == null) {
                throw new CheckpointException("hardware.json: is missing from the library");
            }
            return new HardwareCatalog(in.readAllBytes(), "hardware.json");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads a file of kinds. @throws CheckpointException if a value is missing or wrong */
    public static HardwareCatalog read(Path file) {
        return new HardwareCatalog(ModelFile.bytes(file, MAX_BYTES, "a list of devices"), file.toString());
    }

    /** These kinds with another one, which takes the place of that of its short name if there is one. */
    public HardwareCatalog with(Hardware kind) {
        Map<String, Hardware> all = new LinkedHashMap<>(kinds);
        all.put(kind.kind(), kind);
        return new HardwareCatalog(all.values());
    }

    /** The file that {@link #read} reads. */
    public String toJson() {
        ObjectNode root = new JsonMapper().createObjectNode();
        ArrayNode devices = root.putArray("devices");
        for (Hardware h : kinds.values()) {
            ObjectNode to = devices.addObject();
            to.put("kind", h.kind()).put("name", h.name()).put("memoryGB", h.memoryBytes() / GIGA);
            peaks(h.published(), to);
            to.put("source", h.source());
            if (h.measured() != null) {
                peaks(h.measured(), to.putObject("measured"));
            }
        }
        return root.toPrettyString() + "\n";
    }

    private static void peaks(Peaks p, ObjectNode to) {
        to.put("memoryTBps", p.memory() / TERA).put("fp8PF", p.fp8() / PETA).put("bf16PF", p.bf16() / PETA);
        if (p.fp4() != null) {
            to.put("fp4PF", p.fp4() / PETA);
        }
        if (p.link() < Double.POSITIVE_INFINITY) {
            to.put("linkGBps", p.link() / GIGA);
        }
    }

    /** All kinds, in the order of the file. */
    public Collection<Hardware> all() {
        return List.copyOf(kinds.values());
    }

    /** A kind by its short name in either case. @throws RequestException if there is none */
    public Hardware find(String kind) {
        Hardware found = kinds.get(kind.toLowerCase(Locale.ROOT));
        if (found == null) {
            throw new RequestException(
                    "hardware: found '" + kind + "', expected one of " + new ArrayList<>(kinds.keySet()));
        }
        return found;
    }
}
