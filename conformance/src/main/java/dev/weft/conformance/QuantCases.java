package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.op.Dequantize;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Quantize;
import java.util.stream.Stream;

/** Block quantisation and back. */
final class QuantCases {
    private QuantCases() {}

    static Stream<OpCase> all() {
        Stream.Builder<OpCase> cases = Stream.builder();
        for (DType d : PlainCases.FLOWS) {
            quantize(d, DType.F8_E4M3, Scaling.FP8_GROUP_128, cases);
            quantize(d, DType.F8_E4M3, Scaling.FP8_GROUP_64, cases);
            quantize(d, DType.F8_E4M3, Scaling.MXFP4, cases);
            quantize(d, DType.F4_E2M1, Scaling.MXFP4, cases);
            fake(d, cases);
            dequantize(d, cases);
        }
        return cases.build();
    }

    /** One kind of block per row: what a quantiser gets wrong first. */
    private static Data edgeRows(int block) {
        double[][] rows = {
            {0},
            {448, -448, 1, 0.5},
            {448.1, 100},
            {6, -6, 0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5},
            {1e-30, -1e-38},
            {0x1p-126, 0x1p-149},
            {1, Float.NaN, 2},
            {Double.POSITIVE_INFINITY, 1},
            {-3, Double.NEGATIVE_INFINITY},
            {Float.MAX_VALUE, 1},
            {1e-4, 5e-5},
            {0x1p-9, 1.5 * 0x1p-9, 448},
            {17, 18, 19, 20, 21, 22, 23, 24, 448, -0.0},
        };
        return (t, r) -> {
            for (long i = 0; i < t.size(); i++) {
                double[] row = rows[(int) (i / block % rows.length)];
                t.set(i, row[(int) (i % block % row.length)]);
            }
        };
    }

    private static void quantize(DType d, DType out, Scaling scaling, Stream.Builder<OpCase> cases) {
        Quantize op = new Quantize(out, scaling);
        int block = scaling.columns();
        cases.add(OpCase.of(op, Operand.of(TensorType.of(d, 13, block), edgeRows(block)))
                .noted("edges"));
        cases.add(OpCase.of(op, Operand.random(d, 7, 3 * block)).withGaps(0));
        if (d == DType.F32) {
            cases.add(OpCase.of(op, Operand.random(d, 0, block)));
            cases.add(OpCase.of(op, Operand.random(d, 3, 2, block)));
        }
        cases.add(OpCase.of(op, Operand.of(TensorType.of(d, 33, block), wide())).noted("wide range"));
    }

    /** Magnitudes over many binades. */
    private static Data wide() {
        return (t, r) -> {
            for (long i = 0; i < t.size(); i++) {
                t.set(i, Math.scalb(r.nextDouble(-2, 2), r.nextInt(-12, 10)));
            }
        };
    }

    private static void fake(DType d, Stream.Builder<OpCase> cases) {
        record Format(DType dtype, int block, int lanes, int width) {}
        for (Format f : new Format[] {
            new Format(DType.F8_E4M3, 64, 64, 80),
            new Format(DType.F8_E4M3, 64, 128, 128),
            new Format(DType.F4_E2M1, 32, 64, 64),
            new Format(DType.F4_E2M1, 32, 0, 17)
        }) {
            FakeQuantize op = new FakeQuantize(f.dtype(), f.block(), f.lanes());
            cases.add(OpCase.of(op, Operand.of(TensorType.of(d, 13, f.width()), edgeRows(f.width())))
                    .noted("edges"));
            cases.add(OpCase.of(op, Operand.of(TensorType.of(d, 17, f.width()), wide()))
                    .withGaps(0));
            cases.add(OpCase.of(op, Operand.random(d, 3, 5, f.width())));
        }
        cases.add(OpCase.of(new FakeQuantize(DType.F8_E4M3, 64, 64), Operand.random(d, 0, 64)));
    }

    private static void dequantize(DType out, Stream.Builder<OpCase> cases) {
        Dequantize op = new Dequantize(out);
        for (Scaling s : new Scaling[] {Scaling.FP8_GROUP_128, Scaling.FP8_BLOCK_128, Scaling.FP8_GROUP_64}) {
            cases.add(OpCase.of(op, codes(DType.F8_E4M3, s, Data.allCodes(), 130, 256))
                    .noted("all codes"));
            cases.add(OpCase.of(op, codes(DType.F8_E4M3, s, Data.random(), 17, 130))
                    .withGaps(0));
        }
        cases.add(OpCase.of(op, codes(DType.F4_E2M1, Scaling.MXFP4, Data.allCodes(), 33, 96))
                .noted("all codes"));
        cases.add(OpCase.of(op, codes(DType.F4_E2M1, Scaling.MXFP4, Data.random(), 7, 64))
                .withGaps(0));
        cases.add(OpCase.of(op, codes(DType.F4_E2M1, Scaling.MXFP4, Data.random(), 0, 64)));
    }

    private static Operand codes(DType dtype, Scaling scaling, Data data, long... extents) {
        return Operand.of(TensorType.of(dtype, extents).scaled(scaling), data);
    }
}
