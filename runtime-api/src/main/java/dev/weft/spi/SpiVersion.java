package dev.weft.spi;

/**
 * Version of the backend interface. A backend states the one it was built for; another major version is refused with a
 * message, a higher minor version only adds optional parts.
 */
public record SpiVersion(int major, int minor) {
    /** The version of this library. */
    public static final SpiVersion CURRENT = new SpiVersion(1, 0);

    /** Whether a backend built for {@code this} runs on {@code host}. */
    public boolean runsOn(SpiVersion host) {
        return major == host.major && minor <= host.minor;
    }

    @Override
    public String toString() {
        return major + "." + minor;
    }
}
