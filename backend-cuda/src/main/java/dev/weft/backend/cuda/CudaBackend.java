package dev.weft.backend.cuda;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DeviceId;
import dev.weft.backend.cuda.kernel.Chip;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The devices that the CUDA driver sees. A device opened without a variant uses fast kernels where its chip has what they
 * need; the variant {@value #SIMPLE} uses only those that fast ones are held against, {@value #CUBLASLT} leaves linear layers to
 * NVIDIA's library, {@value #FP8} multiplies many tokens on FP8 units, which keep fewer bits of a sum.
 */
final class CudaBackend implements Backend {
    static final String NAME = "cuda";
    static final String SIMPLE = "simple";
    static final String CUBLASLT = "cublaslt";
    static final String FP8 = "fp8";

    private final DriverLibrary library;
    private final CudaOptions options;
    private final List<DeviceProperties> properties;
    private final List<DeviceInfo> devices;
    private final List<CudaDevice> open = new ArrayList<>();
    private boolean closed;

    CudaBackend(BackendConfig config, DriverLibrary library) {
        this.library = library;
        this.options = CudaOptions.of(config);
        Health health = new Health("backend " + NAME, library.driver());
        this.properties = IntStream.range(0, library.devices())
                .mapToObj(i -> DeviceProperties.of(library.driver(), health, i))
                .toList();
        this.devices = IntStream.range(0, properties.size())
                .mapToObj(i -> describe(i, properties.get(i)))
                .toList();
    }

    private DeviceInfo describe(int ordinal, DeviceProperties p) {
        String description = library.isEmulator()
                ? "EMULATOR of sm_" + p.chip().sm() + ", no hardware"
                : p.name() + ", sm_" + p.chip().sm() + ", driver for " + library.versionText();
        return new DeviceInfo(
                new DeviceId(NAME, ordinal, ""),
                description,
                library.isEmulator() ? DeviceInfo.EMULATOR : "hardware",
                p.memoryBytes(),
                Chip.ownModules(p.chip().sm()).isEmpty() ? List.of(SIMPLE) : List.of(SIMPLE, FP8));
    }

    /** The library is large, so it is looked for only where it is asked about. */
    @Override
    public List<DeviceInfo> devices() {
        return CublasLtLibrary.open(library, Details.folders()) instanceof CublasLtLibrary.Opened
                ? devices.stream().map(CudaBackend::withLibrary).toList()
                : devices;
    }

    private static DeviceInfo withLibrary(DeviceInfo d) {
        List<String> variants =
                Stream.concat(d.variants().stream(), Stream.of(CUBLASLT)).toList();
        return new DeviceInfo(d.id(), d.description(), d.tier(), d.memoryBytes(), variants);
    }

    @Override
    public List<String> details() {
        return Details.of(library, properties, options);
    }

    @Override
    public synchronized BackendDevice open(DeviceId id) {
        if (closed) {
            throw new ClosedException("backend " + NAME + ": used after close");
        }
        DeviceInfo base = devices.stream()
                .filter(d -> d.id().equals(id.base()))
                .findFirst()
                .orElseThrow(() -> new BackendUnavailableException("device " + id + ": found only "
                        + devices.stream().map(DeviceInfo::id).toList()));
        if (!id.variant().isEmpty() && !withLibrary(base).variants().contains(id.variant())) {
            throw new BackendUnavailableException("device " + id + ": no variant '" + id.variant()
                    + "' here, expected none or one of " + withLibrary(base).variants());
        }
        DeviceInfo info = new DeviceInfo(id, base.description(), base.tier(), base.memoryBytes(), base.variants());
        CudaDevice device =
                new CudaDevice(info, properties.get(id.ordinal()), library, cublasLt(id), options, this::forget);
        open.add(device);
        return device;
    }

    private Optional<CublasLtLibrary> cublasLt(DeviceId id) {
        if (!id.variant().equals(CUBLASLT)) {
            return Optional.empty();
        }
        return switch (CublasLtLibrary.open(library, Details.folders())) {
            case CublasLtLibrary.Opened opened -> Optional.of(opened.library());
            case CublasLtLibrary.Absent absent ->
                throw new BackendUnavailableException("device " + id + ": " + absent.reason());
        };
    }

    private synchronized void forget(CudaDevice device) {
        open.remove(device);
    }

    @Override
    public void close() {
        List<CudaDevice> devices;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            devices = List.copyOf(open).reversed();
        }
        Closing.all(devices);
    }
}
