package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;

/** The NCCL of the CUDA emulator, beside {@link Emulator} and like it. */
final class NcclEmulator implements AutoCloseable {
    private final EmulatedLibrary library =
            new EmulatedLibrary(Emulator.library().resolveSibling("libnccl.so.2"), "weftNccl");

    NcclEmulator() {
        reset();
        faults();
    }

    private void reset() {
        with("delay", "0").with("fail", "").with("hang", "").with("version", "22703");
    }

    /** Changes a setting. */
    NcclEmulator with(String key, String value) {
        library.configure(key, value);
        return this;
    }

    /** Faults since the last call and groups that are open; none if it is all well. */
    List<String> faults() {
        return library.faults().lines().toList();
    }

    /** Restores default settings. @throws AssertionError if there were faults nobody asked for */
    @Override
    public void close() {
        reset();
        assertThat(faults()).as("faults that the emulated NCCL found").isEmpty();
    }
}
