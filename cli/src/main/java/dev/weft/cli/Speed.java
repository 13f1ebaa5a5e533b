package dev.weft.cli;

import dev.weft.spi.DeviceInfo;
import java.util.Locale;
import tools.jackson.databind.node.ObjectNode;

/**
 * How fast a device added tokens. An emulator's times say nothing about the device it plays and are never shown.
 *
 * @param device who ran
 * @param prefill tokens per second of the prefill
 * @param decode tokens per second of the decode
 */
record Speed(DeviceInfo device, double prefill, double decode) {
    /** The speed of a prefill, for example {@code 812.4 tokens/s}. */
    String prefillText() {
        return text(prefill, "%.1f tokens/s");
    }

    /** The speed of a decode. */
    String decodeText() {
        return text(decode, "%.1f tokens/s");
    }

    /** The speed of a prefill for a column of numbers. */
    String prefillColumn() {
        return text(prefill, "%.0f");
    }

    /** The speed of a decode for a column of numbers. */
    String decodeColumn() {
        return text(decode, "%.0f");
    }

    private String text(double rate, String format) {
        return device.isEmulator() ? "EMULATOR" : String.format(Locale.ROOT, format, rate);
    }

    /** Adds both, for an emulator only that it is one. */
    void toJson(ObjectNode node) {
        if (device.isEmulator()) {
            node.put("emulator", true);
        } else {
            node.put("prefillTokensPerSecond", prefill).put("decodeTokensPerSecond", decode);
        }
    }
}
