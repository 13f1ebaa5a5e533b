package dev.weft.chat;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;

/**
 * The constant texts of the format. They belong to the checkpoint and are read from it; what is known here is how to
 * recognise them (specification 8.3).
 */
public enum PromptText {
    /** "Absolute maximum" effort: text A. */
    EFFORT_MAX("effort_max", 476, "f7a24f3b3050d4a83781e9b755b316aae2ec1d9dc87562541d90bcb04d7350f7"),
    /** "Beyond maximum" effort: text B, of revision 0731 only. */
    EFFORT_BEYOND_MAX("effort_beyond_max", 528, "53fb31b8392ec5b4a926481943efc67636748f137c1a49d493a7af4d4fa55d2c"),
    /** What stands before the definitions of tools. */
    TOOLS_PREFIX("tools_prefix", 890, "c7c9042638154a237b5d1bd48be772374a35a4d24c5cacfd1ffbd92703da329c"),
    /** What stands after them. */
    TOOLS_SUFFIX("tools_suffix", 99, "690702850fe256512cb1ee67c4e436ecb3e735c71ebee77ca45ff357a75fb5a7"),
    /** What stands before the schema of the answer. */
    RESPONSE_FORMAT_PREFIX(
            "response_format_prefix", 80, "5200f58413f49f3957c43beddbc97bead023232cb5934fad0c1997c30c139112");

    private final String key;
    private final int bytes;
    private final String sha256;

    PromptText(String key, int bytes, String sha256) {
        this.key = key;
        this.bytes = bytes;
        this.sha256 = sha256;
    }

    /** The name in a file of prompt texts. */
    public String key() {
        return key;
    }

    /** Length in UTF-8. */
    public int bytes() {
        return bytes;
    }

    /** SHA-256 of the UTF-8 bytes, in lower-case hexadecimal. */
    public String sha256() {
        return sha256;
    }

    /** Which text this is, recognised by its hash. */
    static Optional<PromptText> recognise(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        if (Arrays.stream(values()).noneMatch(t -> t.bytes == utf8.length)) {
            return Optional.empty(); // most strings of a file, without the work of hashing
        }
        String hash = hash(utf8);
        return Arrays.stream(values()).filter(t -> t.sha256.equals(hash)).findFirst();
    }

    static String hash(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has SHA-256", e);
        }
    }

    @Override
    public String toString() {
        return key + " (" + bytes + " bytes, SHA-256 " + sha256.substring(0, 8) + "...)";
    }
}
