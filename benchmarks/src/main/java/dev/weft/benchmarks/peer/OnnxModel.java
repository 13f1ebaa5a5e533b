package dev.weft.benchmarks.peer;

import dev.weft.DType;
import dev.weft.benchmarks.work.GemmWork;
import dev.weft.benchmarks.work.Matrix;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * A model file with one {@code MatMulNBits} node per copy: 4-bit whole numbers in blocks of 32 with an F32 scale. Written
 * field by field in protocol-buffer encoding; numbers are those of {@code onnx.proto}.
 */
final class OnnxModel {
    private static final int BLOCK = 32;
    private static final int FLOAT = 1;
    private static final int UINT8 = 2;
    private static final int INT_ATTRIBUTE = 2;

    /** Products with INT8 activations, its fastest path. */
    private static final int ACCURACY_LEVEL = 4;

    private OnnxModel() {}

    /** One message being written. */
    private static final class Message {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        private void varint(long value) {
            long rest = value;
            while ((rest & ~0x7FL) != 0) {
                out.write((int) (rest & 0x7F | 0x80));
                rest >>>= 7;
            }
            out.write((int) rest);
        }

        Message put(int field, long value) {
            varint((long) field << 3);
            varint(value);
            return this;
        }

        Message put(int field, byte[] bytes) {
            varint((long) field << 3 | 2);
            varint(bytes.length);
            out.writeBytes(bytes);
            return this;
        }

        Message put(int field, String text) {
            return put(field, text.getBytes(StandardCharsets.UTF_8));
        }

        Message put(int field, Message message) {
            return put(field, message.out.toByteArray());
        }
    }

    /** The model of a work with MXFP4 weights below 4, which 4-bit whole numbers of half units express. */
    static byte[] of(GemmWork work) {
        Message graph = new Message().put(2, "products");
        for (int c = 0; c < work.copies(); c++) {
            Matrix w = work.weights().get(c);
            graph.put(1, node(work, c))
                    .put(5, tensor("w" + c, UINT8, codes(w), w.rows(), w.columns() / BLOCK, BLOCK / 2))
                    .put(5, tensor("s" + c, FLOAT, scales(w), (long) w.rows() * w.columns() / BLOCK))
                    .put(12, value("y" + c, work.m(), work.n()));
        }
        graph.put(11, value("x", work.m(), work.k()));
        return new Message()
                .put(1, 8) // IR version
                .put(7, graph)
                .put(8, new Message().put(1, "").put(2, 17))
                .put(8, new Message().put(1, "com.microsoft").put(2, 1))
                .out
                .toByteArray();
    }

    private static Message node(GemmWork work, int copy) {
        return new Message()
                .put(1, "x")
                .put(1, "w" + copy)
                .put(1, "s" + copy)
                .put(2, "y" + copy)
                .put(4, "MatMulNBits")
                .put(5, attribute("K", work.k()))
                .put(5, attribute("N", work.n()))
                .put(5, attribute("bits", 4))
                .put(5, attribute("block_size", BLOCK))
                .put(5, attribute("accuracy_level", ACCURACY_LEVEL))
                .put(7, "com.microsoft");
    }

    private static Message attribute(String name, long value) {
        return new Message().put(1, name).put(3, value).put(20, INT_ATTRIBUTE);
    }

    private static Message tensor(String name, int type, byte[] data, long... extents) {
        Message t = new Message();
        for (long e : extents) {
            t.put(1, e);
        }
        return t.put(2, type).put(8, name).put(9, data);
    }

    private static Message value(String name, long... extents) {
        Message shape = new Message();
        for (long e : extents) {
            shape.put(1, new Message().put(1, e));
        }
        Message tensor = new Message().put(1, FLOAT).put(2, shape);
        return new Message().put(1, name).put(2, new Message().put(1, tensor));
    }

    /** Twice the value plus 8 in four bits, the even element low. */
    private static byte[] codes(Matrix w) {
        byte[] out = new byte[w.rows() * w.columns() / 2];
        for (int row = 0; row < w.rows(); row++) {
            for (int column = 0; column < w.columns(); column += 2) {
                int packed = half(w, row, column) | half(w, row, column + 1) << 4;
                out[(row * w.columns() + column) / 2] = (byte) packed;
            }
        }
        return out;
    }

    private static int half(Matrix w, int row, int column) {
        return 8 + (int) (2 * DType.F4_E2M1.decode(w.code(row, column)));
    }

    private static byte[] scales(Matrix w) {
        ByteBuffer out = ByteBuffer.allocate(w.rows() * (w.columns() / BLOCK) * Float.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN);
        for (int row = 0; row < w.rows(); row++) {
            for (int column = 0; column < w.columns(); column += BLOCK) {
                out.putFloat(DType.F8_E8M0.decode(w.scaleByte(row, column)) / 2);
            }
        }
        return out.array();
    }
}
