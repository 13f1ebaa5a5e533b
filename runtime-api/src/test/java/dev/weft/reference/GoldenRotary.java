package dev.weft.reference;

import dev.weft.op.RotaryParameters;

/** Rotary tables that the golden data uses. */
enum GoldenRotary {
    PLAIN10000(RotaryParameters.plain(64, 10000)),
    YARN_FLASH(new RotaryParameters(64, 160000, 16, 65536, 32, 1)),
    YARN_SMALL(new RotaryParameters(64, 160000, 16, 256, 32, 1)),
    YARN_B(new RotaryParameters(64, 40000, 8, 128, 32, 1)),
    YARN_DIM32(new RotaryParameters(32, 10000, 40, 4096, 32, 1));

    private final RotaryParameters parameters;

    GoldenRotary(RotaryParameters parameters) {
        this.parameters = parameters;
    }

    RotaryParameters parameters() {
        return parameters;
    }
}
