package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.RotaryParameters;
import java.util.List;

/**
 * Cosines and sines of rotary angles, evaluated on the device from positions that only the device knows. No table, so no
 * longest context: the angle is {@code f32(f32(position) * f_i)}, exact in the position up to 2^24.
 *
 * <p>Source: ops-math docs aclnnCos and aclnnSin, which hold their precision up to 10^7 on A2 and A3.
 *
 * @param cos F32 {@code [rows, width]}
 * @param sin F32 {@code [rows, width]}, negated for the inverse rotation
 */
record Angles(Ten cos, Ten sin) {
    /** One angle per pair of lanes: {@code [rows, dim / 2]}. */
    static Angles perPair(Calls c, RotaryParameters p, Ten positions, boolean inverse) {
        return of(c, p, positions, inverse, 1);
    }

    /** Every angle twice in a row, as the vendor's rotary operators want it: {@code [rows, dim]}. */
    static Angles perLane(Calls c, RotaryParameters p, Ten positions, boolean inverse) {
        return of(c, p, positions, inverse, 2);
    }

    private static Angles of(Calls c, RotaryParameters p, Ten positions, boolean inverse, int repeat) {
        float[] once = p.inverseFrequencies();
        float[] f = new float[once.length * repeat];
        for (int i = 0; i < f.length; i++) {
            f[i] = once[i / repeat];
        }
        List<Ten> both = c.shared("angles", List.of(positions), List.of(p, inverse, repeat), () -> {
            Ten frequencies = c.floats("frequencies x" + repeat + " " + p, f, 1, f.length);
            Ten position = c.cast(positions.view(positions.elements(), 1), AclType.FLOAT);
            Ten angle = c.mul(position, frequencies);
            Ten sin = c.sin(angle);
            return List.of(c.cos(angle), inverse ? c.neg(sin) : sin);
        });
        return new Angles(both.get(0), both.get(1));
    }
}
