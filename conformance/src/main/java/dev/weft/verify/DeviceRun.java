package dev.weft.verify;

import dev.weft.DeviceId;
import dev.weft.bench.StepBench;
import dev.weft.runtime.Device;
import dev.weft.runtime.Placement;
import dev.weft.spi.DeviceInfo;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A device and how the whole graph ran on it.
 *
 * @param id as asked for, with its variant
 * @param machine what it is; empty if it is not there
 * @param problem why it is not there or cannot run the graph; empty if it ran
 * @param endToEnd outputs (of a model: logits) against the reference's; empty if it did not run
 * @param placement which node ran by which kernel; empty if it did not run
 * @param times by step, of hardware only: the times of emulators and of the reference say nothing about hardware
 */
public record DeviceRun(
        DeviceId id,
        Optional<Machine> machine,
        Optional<String> problem,
        Optional<EndToEnd> endToEnd,
        Optional<Placement> placement,
        Map<String, StepBench> times) {
    /** Tier of the devices whose times are shown. */
    public static final String HARDWARE = "hardware";

    public DeviceRun {
        times = Collections.unmodifiableMap(new LinkedHashMap<>(times));
    }

    /** A device that did not run the graph. @param machine what it is; empty if it is not there */
    static DeviceRun without(DeviceId id, Optional<Machine> machine, String why) {
        return new DeviceRun(id, machine, Optional.of(why), Optional.empty(), Optional.empty(), Map.of());
    }

    /**
     * What a device says about itself.
     *
     * @param level which kernels compute, empty if there is one kind only
     * @param threads host threads that a kernel uses, 0 if kernels run elsewhere
     */
    public record Machine(DeviceInfo info, String level, int threads) {
        static Machine of(Device device) {
            return new Machine(device.info(), device.level(), device.threads());
        }
    }
}
