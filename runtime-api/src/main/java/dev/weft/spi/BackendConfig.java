package dev.weft.spi;

import java.util.Map;

/**
 * Settings given to a backend when it is opened.
 *
 * @param threads worker threads of host devices, 0 for one per available processor
 * @param memoryLimit most bytes a device may hold at once, 0 for what is there
 * @param properties further settings under the backend's own names
 */
public record BackendConfig(int threads, long memoryLimit, Map<String, String> properties) {
    /** Settings that leave every choice to the backend. */
    public static final BackendConfig DEFAULT = new BackendConfig(0, 0, Map.of());

    public BackendConfig {
        properties = Map.copyOf(properties);
    }

    /** These settings with a number of host threads. */
    public BackendConfig withThreads(int threads) {
        return new BackendConfig(threads, memoryLimit, properties);
    }

    /** These settings with a limit on device memory in bytes. */
    public BackendConfig withMemoryLimit(long memoryLimit) {
        return new BackendConfig(threads, memoryLimit, properties);
    }

    /** These settings with one more property. */
    public BackendConfig with(String name, String value) {
        var copy = new java.util.HashMap<>(properties);
        copy.put(name, value);
        return new BackendConfig(threads, memoryLimit, copy);
    }
}
