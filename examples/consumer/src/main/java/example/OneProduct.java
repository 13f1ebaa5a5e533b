package example;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.runtime.Device;
import dev.weft.runtime.Tensor;
import dev.weft.runtime.Weft;

/** One product of BF16 rows and an FP4 weight on the best device. */
public final class OneProduct {
    private OneProduct() {}

    public static void main(String[] args) {
        try (Weft weft = Weft.open()) {
            Device device = weft.best();
            TensorType weight = new TensorType(DType.F4_E2M1, Shape.of(2048, 4096), Scaling.MXFP4);
            try (Tensor x = device.random(TensorType.of(DType.BF16, 64, 4096), 1);
                    Tensor w = device.random(weight, 2);
                    Tensor y = device.ops().gemm(x, w)) {
                System.out.println(device.id() + " y " + y.type() + ", y[0]=" + y.toFloatArray()[0]);
            }
        }
    }
}
