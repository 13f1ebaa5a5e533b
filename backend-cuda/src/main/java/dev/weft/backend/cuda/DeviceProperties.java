package dev.weft.backend.cuda;

import static dev.weft.backend.cuda.DriverConstants.*;

import dev.weft.backend.cuda.kernel.Chip;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What the driver says of a device without opening it.
 *
 * @param handle the driver's {@code CUdevice}
 * @param name product
 * @param bus PCI address
 * @param memoryBytes memory of the device
 * @param chip what kernels need to know
 */
record DeviceProperties(int handle, String name, String bus, long memoryBytes, Chip chip) {
    private static final int MOST_TEXT_BYTES = 256;

    static DeviceProperties of(Driver driver, Health health, int ordinal) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(MOST_TEXT_BYTES, 8);
            health.require(driver.cuDeviceGet(out, ordinal), "cuDeviceGet(" + ordinal + ")");
            int device = out.get(ValueLayout.JAVA_INT, 0);
            health.require(driver.cuDeviceGetName(out, MOST_TEXT_BYTES, device), "cuDeviceGetName");
            String name = out.getString(0);
            health.require(driver.cuDeviceGetPCIBusId(out, MOST_TEXT_BYTES, device), "cuDeviceGetPCIBusId");
            String bus = out.getString(0);
            health.require(driver.cuDeviceTotalMem(out, device), "cuDeviceTotalMem_v2");
            long memory = out.get(ValueLayout.JAVA_LONG, 0);
            Attributes attributes = new Attributes(driver, health, device, out);
            Chip chip = new Chip(
                    10 * attributes.get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) + attributes.get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
                    attributes.get(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
                    attributes.get(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
                    attributes.get(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE));
            return new DeviceProperties(device, name, bus, memory, chip);
        }
    }

    private record Attributes(Driver driver, Health health, int device, MemorySegment out) {
        int get(int attribute) {
            int code = driver.cuDeviceGetAttribute(out, attribute, device);
            health.require(code, "cuDeviceGetAttribute(" + attribute + ")");
            return out.get(ValueLayout.JAVA_INT, 0);
        }
    }
}
