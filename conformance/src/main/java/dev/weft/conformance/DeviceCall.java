package dev.weft.conformance;

import dev.weft.op.OpInstance;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.StateLayout;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One kernel call on a device with everything around the operands watched: guard zones, gaps between rows, operands that
 * are only read, poisoned results and scratch memory.
 */
public final class DeviceCall implements AutoCloseable {
    /** An operand or result on the device. A packed weight has no scale memory. */
    private record Place(Guarded data, Optional<Guarded> scales) {}

    private final BackendDevice device;
    private final OpInstance op;
    private final Kernel kernel;
    private final List<Guarded> owned = new ArrayList<>();

    /**
     * Prepares the kernel.
     *
     * @param op an instance that the device supports; named axes take the extents of the operands of a run
     */
    public DeviceCall(BackendDevice device, OpInstance op) {
        this.device = device;
        this.op = op;
        this.kernel = device.prepare(op);
    }

    /** Name of the kernel. */
    public String kernel() {
        return kernel.name();
    }

    /**
     * Runs the kernel once with poisoned scratch memory.
     *
     * @param inputs operands, left unchanged
     * @param results poisoned results, filled in; one that updates an operand starts as a copy of it
     * @throws RuntimeException if something was touched that must not be
     */
    public void run(List<HostTensor> inputs, List<HostTensor> results) {
        run(inputs, results, HostTensor.POISON);
    }

    /**
     * Runs the kernel once.
     *
     * @param inputs operands, left unchanged
     * @param results poisoned results, filled in; one that updates an operand starts as a copy of it
     * @param scratch byte that the scratch memory is filled with before the run
     * @throws Mismatch if something was touched that must not be
     */
    void run(List<HostTensor> inputs, List<HostTensor> results, byte scratch) {
        // shared: a device may read its arguments on a thread of its own
        try (Arena arena = Arena.ofShared()) {
            KernelArguments args = new KernelArguments(op.all(), arena);
            List<Place> places = new ArrayList<>();
            for (int i = 0; i < inputs.size(); i++) {
                places.add(placeInput(i, inputs.get(i), arena));
                bind(args, i, inputs.get(i), places.get(i));
            }
            for (int i = 0; i < results.size(); i++) {
                int updated = op.op().updates(i);
                places.add(updated >= 0 ? places.get(updated) : upload("result " + i, results.get(i), 0, arena));
                bind(args, inputs.size() + i, results.get(i), places.getLast());
            }
            Optional<Guarded> workspace = workspace(scratch, arena);
            workspace.ifPresent(w -> args.workspace(w.address()));
            try (DeviceStream stream = device.createStream()) {
                kernel.enqueue(stream, args);
                stream.synchronize();
            }
            workspace.ifPresent(w -> w.check(arena));
            checkInputs(inputs, places, arena);
            for (int i = 0; i < results.size(); i++) {
                fetch("result " + i, results.get(i), places.get(inputs.size() + i), arena);
            }
        } finally {
            close();
        }
    }

    private Guarded own(String name, long bytes, long spare) {
        Guarded g = new Guarded(device, name, bytes, spare);
        owned.add(g);
        return g;
    }

    private Optional<Guarded> workspace(byte scratch, Arena arena) {
        if (kernel.workspaceBytes() == 0) {
            return Optional.empty();
        }
        Guarded g = own("workspace", kernel.workspaceBytes(), 0);
        g.fill(scratch, arena);
        return Optional.of(g);
    }

    private Place placeInput(int i, HostTensor t, Arena arena) {
        String name = op.op().operands().get(i);
        Optional<WeightLayout.Packing> packing =
                device instanceof WeightLayout layout ? layout.packing(op, i) : Optional.empty();
        if (packing.isEmpty()) {
            long spare =
                    isUpdated(i) ? StateLayout.of(device, t.type()) - t.type().maxDataBytes() : 0;
            return upload(name, t, spare, arena);
        }
        Guarded packed =
                own(name + " packed as " + packing.get().id(), packing.get().bytes(), 0);
        packed.fill(HostTensor.POISON, arena);
        packing.get().pack(WeightData.of(name, t.type(), t.data(), t.scales()), packed.address());
        return new Place(packed, Optional.empty());
    }

    private Place upload(String name, HostTensor t, long spare, Arena arena) {
        Guarded data = own(name, t.data().byteSize(), spare);
        data.write(t.data(), arena);
        if (t.type().scaling().isNone()) {
            return new Place(data, Optional.empty());
        }
        Guarded scales = own("scales of " + name, t.scales().byteSize(), 0);
        scales.write(t.scales(), arena);
        return new Place(data, Optional.of(scales));
    }

    private static void bind(KernelArguments args, int i, HostTensor t, Place place) {
        args.extents(i, t.dims());
        args.pitch(i, t.pitch());
        args.bind(
                i, place.data().address(), place.scales().map(Guarded::address).orElse(0L));
    }

    private void checkInputs(List<HostTensor> inputs, List<Place> places, Arena arena) {
        for (int i = 0; i < inputs.size(); i++) {
            HostTensor before = inputs.get(i);
            String name = op.op().operands().get(i);
            boolean packed =
                    !before.type().scaling().isNone() && places.get(i).scales().isEmpty();
            boolean plainPacked = device instanceof WeightLayout layout
                    && layout.packing(op, i).isPresent();
            if (packed || plainPacked) {
                places.get(i).data().check(arena);
            } else if (!isUpdated(i)) {
                HostTensor after = before.copy(arena);
                fetch(name, after, places.get(i), arena);
                unchanged(name, before.data(), after.data());
                unchanged("scales of " + name, before.scales(), after.scales());
            }
        }
    }

    private boolean isUpdated(int input) {
        for (int i = 0; i < op.outputs().size(); i++) {
            if (op.op().updates(i) == input) {
                return true;
            }
        }
        return false;
    }

    private static void unchanged(String name, MemorySegment before, MemorySegment after) {
        long bad = before.mismatch(after);
        if (bad >= 0) {
            throw new Mismatch(name + ": byte " + bad + " was modified; the operand is read only");
        }
    }

    private static void fetch(String name, HostTensor t, Place place, Arena arena) {
        HostTensor before = t.copy(arena);
        place.data().read(t.data(), arena);
        place.scales().ifPresent(s -> s.read(t.scales(), arena));
        long gap = t.firstChangedGap(before);
        if (gap >= 0) {
            throw new Mismatch(name + ": byte " + gap + " in the gap between two rows was overwritten; pitch "
                    + t.pitch() + " elements");
        }
    }

    /** Frees the device memory of the last run. */
    @Override
    public void close() {
        List<Guarded> all = new ArrayList<>(owned);
        owned.clear();
        Closing.all(all);
    }
}
