package dev.weft.backend.cpu;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.HyperPre;
import dev.weft.op.LightningIndex;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Reach;
import dev.weft.op.RmsNorm;
import dev.weft.op.SparseAttention;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;

/**
 * An operator on random operands, run on a CPU device.
 *
 * @param op operator with types
 * @param integers by operand number: values of I32 operands, places of NaN in FP8 ones, places of scale bytes that are 0
 *     or (odd ones) NaN in FP4 ones
 */
record RandomCall(OpInstance op, Map<Integer, int[]> integers) {
    private static final DType[] WEIGHTS = {DType.F32, DType.BF16, DType.F8_E4M3, DType.F4_E2M1};

    /** Matrix products in all formats with odd numbers of rows and columns, attention, index, norm. */
    static List<RandomCall> all() {
        List<RandomCall> cases = new ArrayList<>();
        for (DType w : WEIGHTS) {
            for (DType x : List.of(DType.F32, DType.BF16, DType.F8_E4M3)) {
                DType out = x == DType.F32 ? DType.F32 : DType.BF16;
                for (long rows : new long[] {1, 7, 70}) {
                    cases.add(of(new Gemm(out), x(x, rows, 288), w(w, 150, 288)));
                }
                cases.add(of(new GroupedGemm(out), x(x, 5, 3, 160), w(w, 3, 40, 160)));
                cases.add(of(new ExpertGemm(out), x(x, 11, 160), w(w, 4, 40, 160), i32(5))
                        .with(2, 0, 3, 3, 4, 11));
            }
        }
        for (DType flow : List.of(DType.F32, DType.BF16)) {
            cases.add(of(new RmsNorm(1e-6f), x(flow, 9, 100), x(flow, 100)));
            for (Reach reach : Reach.values()) {
                cases.add(attention(flow, reach));
            }
            cases.add(index(flow));
            cases.add(of(
                    new HyperPre(4, 20, 1e-6f, 1e-6f),
                    x(flow, 3, 4, 90),
                    x(DType.F32, 24, 360),
                    x(DType.F32, 3),
                    x(DType.F32, 24)));
        }
        return cases;
    }

    /** Rows times weights {@code [150, 384]}, with {@link #integers}. Rows are the same for any number of them. */
    static RandomCall product(DType x, DType w, long rows, int... places) {
        return of(new Gemm(DType.F32), x(x, rows, 384), w(w, 150, 384)).with(1, places);
    }

    /** Two sequences, one at its beginning and one far on; heads that do not fill a group. */
    private static RandomCall attention(DType flow, Reach reach) {
        List<TensorType> types = new ArrayList<>(List.of(
                x(flow, 5, 20, 72), x(flow, 5, 72), x(flow, 3, 16, 72), x(DType.F32, 20), i32(5), i32(3), i32(2)));
        if (reach != Reach.WINDOW) {
            types.addAll(List.of(x(flow, 6, 4, 72), i32(2, 3)));
        }
        if (reach == Reach.PICKED) {
            types.add(i32(5, 4));
        }
        return of(new SparseAttention(8, 4, reach, 0.125f), types.toArray(TensorType[]::new))
                .with(4, 0, 1, 2, 40, 41)
                .with(5, 0, 3, 5)
                .with(6, 2, 0)
                .with(8, 1, 3, 0, 5, 2, 4)
                .with(9, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 7, 9, 1, 2, 8, -1);
    }

    private static RandomCall index(DType flow) {
        return of(
                        new LightningIndex(4, 4),
                        x(flow, 3, 5, 32),
                        x(flow, 3, 5),
                        x(flow, 8, 4, 32),
                        i32(3),
                        i32(3),
                        i32(2, 4))
                .with(3, 2, 60, 61)
                .with(4, 0, 1, 3)
                .with(5, 0, 1, 2, 3, 7, 4, 6, 5);
    }

    private static RandomCall of(Op op, TensorType... types) {
        return new RandomCall(OpInstance.of(op, List.of(types)), Map.of());
    }

    private RandomCall with(int operand, int... values) {
        if (operand >= op.inputs().size()) {
            return this;
        }
        Map<Integer, int[]> more = new HashMap<>(integers);
        more.put(operand, values);
        return new RandomCall(op, more);
    }

    private static TensorType x(DType dtype, long... extents) {
        TensorType type = TensorType.of(dtype, Shape.of(extents));
        return dtype == DType.F8_E4M3 ? type.scaled(Scaling.FP8_GROUP_128) : type;
    }

    private static TensorType w(DType dtype, long... extents) {
        TensorType type = TensorType.of(dtype, Shape.of(extents));
        return switch (dtype) {
            case F8_E4M3 -> type.scaled(Scaling.FP8_BLOCK_128);
            case F4_E2M1 -> type.scaled(Scaling.MXFP4);
            default -> type;
        };
    }

    private static TensorType i32(long... extents) {
        return TensorType.of(DType.I32, extents);
    }

    /** Runs it and returns the bytes of each result. */
    List<byte[]> run(CpuDevice device) {
        List<DeviceBuffer> buffers = new ArrayList<>();
        try (Arena arena = Arena.ofConfined();
                DeviceStream stream = device.createStream()) {
            KernelArguments arguments = new KernelArguments(op.all(), arena);
            Kernel kernel = device.prepare(op);
            for (int i = 0; i < op.all().size(); i++) {
                place(device, arguments, i, arena, buffers);
            }
            DeviceBuffer workspace = device.allocate(kernel.workspaceBytes(), 64);
            buffers.add(workspace);
            arguments.workspace(workspace.address());
            kernel.enqueue(stream, arguments);
            stream.synchronize();
            List<byte[]> results = new ArrayList<>();
            for (int i = 0; i < op.outputs().size(); i++) {
                MemorySegment result = arena.allocate(op.outputs().get(i).maxDataBytes());
                device.copyOut(arguments.address(op.inputs().size() + i), result);
                results.add(result.toArray(ValueLayout.JAVA_BYTE));
            }
            return results;
        } finally {
            buffers.forEach(DeviceBuffer::close);
        }
    }

    private void place(CpuDevice device, KernelArguments arguments, int i, Arena arena, List<DeviceBuffer> buffers) {
        TensorType type = op.all().get(i);
        MemorySegment data = arena.allocate(type.maxDataBytes(), 8);
        MemorySegment scale = arena.allocate(type.maxScaleBytes(), 8);
        if (i < op.inputs().size()) {
            fill(type, i, data, scale);
        }
        Optional<WeightLayout.Packing> packing = i < op.inputs().size() ? device.packing(op, i) : Optional.empty();
        long bytes = packing.map(WeightLayout.Packing::bytes).orElse(data.byteSize() + scale.byteSize());
        DeviceBuffer buffer = device.allocate(bytes, 64);
        buffers.add(buffer);
        if (packing.isPresent()) {
            packing.get().pack(WeightData.of("w", type, data, scale), buffer.address());
            arguments.bind(i, buffer.address(), 0);
        } else {
            long scales = buffer.address() + data.byteSize();
            device.copyIn(data, buffer.address());
            device.copyIn(scale, scales);
            arguments.bind(i, buffer.address(), type.scaling().isNone() ? 0 : scales);
        }
    }

    private void fill(TensorType type, int operand, MemorySegment data, MemorySegment scale) {
        if (type.dtype() == DType.I32) {
            MemorySegment.copy(integers.get(operand), 0, data, ValueLayout.JAVA_INT, 0, integers.get(operand).length);
            return;
        }
        Random random = new Random(operand);
        for (long i = 0; i < type.maxElements(); i++) {
            int code = type.dtype().encode((float) random.nextGaussian());
            switch (type.dtype()) {
                case F32 -> data.setAtIndex(ValueLayout.JAVA_INT, i, code);
                case BF16 -> data.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) code);
                case F8_E4M3 -> data.set(ValueLayout.JAVA_BYTE, i, (byte) code);
                default -> {
                    int other = data.get(ValueLayout.JAVA_BYTE, i / 2);
                    data.set(ValueLayout.JAVA_BYTE, i / 2, (byte) (other | code << 4 * (i % 2)));
                }
            }
        }
        if (type.dtype() == DType.F8_E4M3) {
            for (int at : integers.getOrDefault(operand, new int[0])) {
                data.set(ValueLayout.JAVA_BYTE, at, (byte) (at % 2 == 0 ? 0x7F : 0xFF));
            }
        }
        for (long i = 0; i < scale.byteSize(); i++) {
            scale.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(124, 131));
        }
        if (type.dtype() == DType.F4_E2M1) {
            for (int at : integers.getOrDefault(operand, new int[0])) {
                scale.set(ValueLayout.JAVA_BYTE, at, (byte) (at % 2 == 0 ? 0 : 255));
            }
        }
    }

    /** Values of result number {@code output}. */
    float[] floats(List<byte[]> results, int output) {
        DType dtype = op.outputs().get(output).dtype();
        MemorySegment s = MemorySegment.ofArray(results.get(output));
        float[] out = new float[Math.toIntExact(op.outputs().get(output).maxElements())];
        for (int i = 0; i < out.length; i++) {
            out[i] = switch (dtype) {
                case BF16 -> dtype.decode(s.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i) & 0xFFFF);
                case I32 -> s.getAtIndex(ValueLayout.JAVA_INT_UNALIGNED, i);
                default -> s.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
            };
        }
        return out;
    }

    @Override
    public String toString() {
        return op.op() + " " + op.inputs();
    }
}
