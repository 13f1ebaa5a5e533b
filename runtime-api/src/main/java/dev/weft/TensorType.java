package dev.weft;

import java.util.Locale;
import java.util.function.ToLongFunction;

/**
 * What a tensor is: element format, shape and block scaling. Data is row-major; a scaled tensor has its scales in a
 * second row-major block of {@link DType#F8_E8M0} bytes of shape {@link Scaling#scaleDims}.
 *
 * @param dtype element format
 * @param shape extents, slowest axis first
 * @param scaling block scales, {@link Scaling#NONE} for plain values
 */
public record TensorType(DType dtype, Shape shape, Scaling scaling) {
    public TensorType {
        if (!scaling.isNone() && (dtype.bits() > 8 || !dtype.isFloat() || shape.rank() == 0)) {
            throw new DTypeException("scaling " + scaling + ": found " + dtype + " " + shape
                    + ", expected F8_E4M3, F8_E5M2 or F4_E2M1 of rank 1 or more");
        }
    }

    /** An unscaled type. */
    public static TensorType of(DType dtype, Shape shape) {
        return new TensorType(dtype, shape, Scaling.NONE);
    }

    /** An unscaled type of fixed extents. */
    public static TensorType of(DType dtype, long... extents) {
        return of(dtype, Shape.of(extents));
    }

    /** This type with block scales. */
    public TensorType scaled(Scaling scaling) {
        return new TensorType(dtype, shape, scaling);
    }

    /** This type with another element format and no scales. */
    public TensorType as(DType dtype) {
        return new TensorType(dtype, shape, Scaling.NONE);
    }

    /** This type with another shape. */
    public TensorType shaped(Shape shape) {
        return new TensorType(dtype, shape, scaling);
    }

    /** This type with every named axis fixed at {@code binding(name)}. */
    public TensorType bind(ToLongFunction<String> binding) {
        return new TensorType(dtype, Shape.of(shape.bind(binding)), scaling);
    }

    /** Bytes of the elements, names at their upper bounds. */
    public long maxDataBytes() {
        return dtype.bytes(Shape.elements(shape.maximum()));
    }

    /** Bytes of the scales, names at their upper bounds; 0 if unscaled. */
    public long maxScaleBytes() {
        return scaling.isNone() ? 0 : Shape.elements(scaling.scaleDims(shape.maximum()));
    }

    /** Elements, names at their upper bounds. */
    public long maxElements() {
        return Shape.elements(shape.maximum());
    }

    @Override
    public String toString() {
        String base = shape + " " + dtype.name().toLowerCase(Locale.ROOT);
        return scaling.isNone() ? base : base + "/" + scaling;
    }
}
