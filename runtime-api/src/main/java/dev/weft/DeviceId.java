package dev.weft;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Name of a device: {@code backend:ordinal}, or {@code backend:ordinal/variant} for another way to run the same one, as
 * in {@code cpu:0/scalar}.
 *
 * @param backend name of the backend
 * @param ordinal number within the backend, from 0
 * @param variant the backend's own word, empty for its best way
 */
public record DeviceId(String backend, int ordinal, String variant) {
    private static final Pattern FORM = Pattern.compile("([a-z][a-z0-9]*):([0-9]{1,4})(?:/([a-z0-9-]+))?");

    /** Parses an id. @throws BackendUnavailableException if it has another form */
    public static DeviceId parse(String text) {
        Matcher m = FORM.matcher(text);
        if (!m.matches()) {
            throw new BackendUnavailableException(
                    "device id '" + text + "': expected backend:number or backend:number/variant, for example cpu:0");
        }
        return new DeviceId(m.group(1), Integer.parseInt(m.group(2)), m.group(3) == null ? "" : m.group(3));
    }

    /** This device without variant. */
    public DeviceId base() {
        return variant.isEmpty() ? this : new DeviceId(backend, ordinal, "");
    }

    @Override
    public String toString() {
        return backend + ":" + ordinal + (variant.isEmpty() ? "" : "/" + variant);
    }
}
