package dev.weft.spi;

/**
 * The small class that {@link java.util.ServiceLoader} finds, one per backend. It is cheap: no native code is loaded
 * before {@link #probe}, and none twice.
 */
public interface BackendProvider {
    /** Name of the backend as in device ids: lower-case letters, for example {@code cpu}. */
    String name();

    /** The interface version this provider was compiled against. */
    SpiVersion spiVersion();

    /** Whether the backend can be opened, or why not. Never throws for an absent library or device. */
    Probe probe();

    /** Opens the backend. Called once per {@code Weft}, after {@link #probe} said it is available. */
    Backend open(BackendConfig config);
}
