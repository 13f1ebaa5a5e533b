package dev.weft.chat;

import dev.weft.RequestException;
import dev.weft.io.support.StrictJson;
import java.util.Arrays;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Looks up constants by their names in JSON. */
final class WireNames {
    private WireNames() {}

    /** @throws RequestException if there is none; the message lists those there are */
    static <E extends Enum<E>> E find(E[] values, Function<E, String> wireName, String subject, String name) {
        for (E value : values) {
            if (wireName.apply(value).equals(name)) {
                return value;
            }
        }
        throw new RequestException(subject + ": found '" + StrictJson.shortened(name) + "', expected one of "
                + Arrays.stream(values).map(wireName).collect(Collectors.joining(", ")));
    }
}
