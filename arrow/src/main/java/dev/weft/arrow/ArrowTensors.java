package dev.weft.arrow;

import dev.weft.TensorType;
import java.util.List;
import java.util.Map;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.ForeignAllocation;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.complex.FixedSizeListVector;
import org.apache.arrow.vector.ipc.message.ArrowFieldNode;
import org.apache.arrow.vector.types.FloatingPointPrecision;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;

/**
 * Tensors as vectors of the Arrow library and back, without a copy. The program brings {@code arrow-vector} and an allocator;
 * no option of the JVM is needed for this class. How tensors look as vectors is told in {@code docs/arrow.md}; block scales
 * are a vector of their own ({@link TensorMemory#scales}).
 */
public final class ArrowTensors {
    private ArrowTensors() {}

    /**
     * A vector over the tensor's memory, which it holds until it is closed.
     *
     * @throws ArrowException if the memory is not the host's, or has more elements than a vector can count
     */
    public static FieldVector toVector(TensorMemory memory, String name, BufferAllocator allocator) {
        TensorLayout layout = TensorLayout.of(memory.type());
        boolean list = layout.listSize() != TensorLayout.NO_LIST;
        long values = layout.length() * (list ? layout.listSize() : 1);
        if (values > Integer.MAX_VALUE || layout.length() > Integer.MAX_VALUE) {
            throw new ArrowException("tensor " + memory.type() + ": found " + values + " values, expected at most "
                    + Integer.MAX_VALUE + " in a vector; export it by CData");
        }
        long address = memory.data().address();
        FieldVector vector = field(layout, name).createVector(allocator);
        TensorMemory.Hold hold = memory.hold();
        ArrowBuf data = allocator.wrapForeignAllocation(
                new ForeignAllocation(memory.type().maxDataBytes(), address) {
                    @Override
                    protected void release0() {
                        hold.close();
                    }
                });
        try (ArrowBuf none = allocator.getEmpty()) {
            if (list) {
                vector.loadFieldBuffers(new ArrowFieldNode(layout.length(), 0), List.of(none));
                vector.getChildrenFromFields()
                        .getFirst()
                        .loadFieldBuffers(new ArrowFieldNode(values, 0), List.of(none, data));
            } else {
                vector.loadFieldBuffers(new ArrowFieldNode(values, 0), List.of(none, data));
            }
        } finally {
            data.close(); // the vector has a reference of its own
        }
        return vector;
    }

    private static Field field(TensorLayout layout, String name) {
        ArrowType values = type(layout.format());
        if (layout.listSize() == TensorLayout.NO_LIST) {
            return new Field(name, new FieldType(false, values, null, layout.metadata()), List.of());
        }
        ArrowType list = new ArrowType.FixedSizeList((int) layout.listSize());
        Field item = new Field("item", new FieldType(false, values, null, Map.of()), List.of());
        return new Field(name, new FieldType(false, list, null, layout.metadata()), List.of(item));
    }

    private static ArrowType type(String format) {
        return switch (format) {
            case "f" -> new ArrowType.FloatingPoint(FloatingPointPrecision.SINGLE);
            case "e" -> new ArrowType.FloatingPoint(FloatingPointPrecision.HALF);
            case "c" -> new ArrowType.Int(8, true);
            case "C" -> new ArrowType.Int(8, false);
            case "s" -> new ArrowType.Int(16, true);
            case "S" -> new ArrowType.Int(16, false);
            case "i" -> new ArrowType.Int(32, true);
            case "l" -> new ArrowType.Int(64, true);
            default -> throw new AssertionError("no element has format " + format);
        };
    }

    private static String format(ArrowType type) {
        return List.of("f", "e", "c", "C", "s", "S", "i", "l").stream()
                .filter(f -> type(f).equals(type))
                .findFirst()
                .orElse(type.toString());
    }

    /**
     * The memory of a vector, which stays as long as somebody holds it, even if the vector is closed; its allocator must be
     * closed later. As an input of a run: {@code execution.set(name, memory.data())}.
     *
     * @throws ArrowException if it has nulls or is no vector of numbers or of lists of them of one size
     */
    public static TensorMemory fromVector(FieldVector vector) {
        String subject = "vector '" + vector.getName() + "'";
        FieldVector values = vector;
        long listSize = TensorLayout.NO_LIST;
        if (vector instanceof FixedSizeListVector list) {
            listSize = list.getListSize();
            values = list.getDataVector();
        }
        if (vector.getNullCount() > 0 || values.getNullCount() > 0) {
            throw new ArrowException(subject + ": found " + Math.max(vector.getNullCount(), values.getNullCount())
                    + " nulls, expected none: tensors have no nulls");
        }
        TensorLayout layout = new TensorLayout(
                format(values.getField().getType()),
                vector.getValueCount(),
                listSize,
                vector.getField().getMetadata());
        TensorType type = layout.type(subject);
        ArrowBuf data = values.getDataBuffer();
        data.getReferenceManager().retain();
        return TensorMemory.at(
                type,
                Place.HOST,
                data.memoryAddress(),
                0,
                () -> data.getReferenceManager().release());
    }
}
