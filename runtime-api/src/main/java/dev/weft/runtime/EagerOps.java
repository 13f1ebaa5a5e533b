package dev.weft.runtime;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.Scaling;
import dev.weft.UnsupportedOpException;
import dev.weft.op.Gemm;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Quantize;
import dev.weft.op.RmsNorm;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.Support;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Runs single operators on tensors of a device and waits. Convenient for trying things out; a graph is faster, because
 * here kernels are prepared and weights are packed at every call. Operators that update a state are refused.
 */
public final class EagerOps {
    private final Device device;

    EagerOps(Device device) {
        this.device = device;
    }

    /** {@link Gemm}: x times w transposed; the result has x's dtype, or F32 for quantised x. */
    public Tensor gemm(Tensor x, Tensor w) {
        DType out = x.type().dtype() == DType.BF16 ? DType.BF16 : DType.F32;
        return run(new Gemm(out), x, w).getFirst();
    }

    /** {@link RmsNorm}. */
    public Tensor rmsNorm(Tensor x, Tensor w, float eps) {
        return run(new RmsNorm(eps), x, w).getFirst();
    }

    /** {@link Quantize}. */
    public Tensor quantize(Tensor x, DType dtype, Scaling scaling) {
        return run(new Quantize(dtype, scaling), x).getFirst();
    }

    /** Runs any operator without states. @return its results, to be closed by the caller */
    public List<Tensor> run(Op op, Tensor... inputs) {
        return device.using(() -> runOpen(op, inputs));
    }

    private List<Tensor> runOpen(Op op, Tensor... inputs) {
        for (int i = 0; i < inputs.length; i++) {
            device.require(inputs[i].device(), op.name() + ": operand " + i + " " + inputs[i].type());
        }
        OpInstance instance =
                OpInstance.of(op, List.of(inputs).stream().map(Tensor::type).toList());
        for (int i = 0; i < instance.outputs().size(); i++) {
            if (op.updates(i) >= 0) {
                throw new DTypeException(op.name() + ": updates a state in place; build a graph to run it");
            }
        }
        BackendDevice spi = device.spi();
        if (device.supports(instance) instanceof Support.Unsupported u) {
            throw new UnsupportedOpException(op.name() + " on " + device.id() + ": " + u.reason());
        }
        Kernel kernel = spi.prepare(instance);
        List<Tensor> outputs = new ArrayList<>();
        List<AutoCloseable> scratch = new ArrayList<>();
        try (Arena arena = Arena.ofShared()) {
            instance.outputs().forEach(t -> outputs.add(device.tensor(t)));
            List<Tensor> all = new ArrayList<>(List.of(inputs));
            all.addAll(outputs);
            KernelArguments args = new KernelArguments(instance.all(), arena);
            for (int i = 0; i < all.size(); i++) {
                Optional<WeightLayout.Packing> packing = i < inputs.length && spi instanceof WeightLayout layout
                        ? layout.packing(instance, i)
                        : Optional.empty();
                if (packing.isPresent()) {
                    args.bind(i, pack(packing.get(), inputs[i], scratch), 0);
                } else {
                    args.bind(i, all.get(i).address(), all.get(i).scaleAddress());
                }
            }
            if (kernel.workspaceBytes() > 0) {
                DeviceBuffer workspace = spi.allocate(kernel.workspaceBytes(), MemoryPlan.ALIGNMENT);
                scratch.add(workspace);
                args.workspace(workspace.address());
            }
            runInside(all, () -> {
                try (DeviceStream stream = spi.createStream()) {
                    kernel.enqueue(stream, args);
                    stream.synchronize();
                }
            });
            return outputs;
        } catch (RuntimeException | Error e) {
            try {
                Closing.all(outputs);
            } catch (RuntimeException closing) {
                e.addSuppressed(closing);
            }
            throw e;
        } finally {
            Closing.all(scratch);
        }
    }

    private long pack(WeightLayout.Packing packing, Tensor w, List<AutoCloseable> scratch) {
        DeviceBuffer packed = device.spi().allocate(packing.bytes(), MemoryPlan.ALIGNMENT);
        scratch.add(packed);
        try (Arena arena = Arena.ofShared()) {
            MemorySegment bytes = w.read(arena);
            MemorySegment scale =
                    bytes.asSlice(MemoryPlan.scaleOffset(w.type()), w.type().maxScaleBytes());
            MemorySegment data = bytes.asSlice(0, w.type().maxDataBytes());
            packing.pack(WeightData.of("operand", w.type(), data, scale), packed.address());
        }
        return packed.address();
    }

    /** Keeps the tensors open while {@code body} runs. */
    private static void runInside(List<Tensor> tensors, Runnable body) {
        int entered = 0;
        try {
            for (Tensor t : tensors) {
                t.lifetime().enter();
                entered++;
            }
            body.run();
        } finally {
            for (int i = 0; i < entered; i++) {
                tensors.get(i).lifetime().exit();
            }
        }
    }
}
