package dev.weft.io;

import dev.weft.CheckpointException;
import dev.weft.DType;
import dev.weft.Shape;
import dev.weft.WeftException;
import dev.weft.io.support.StrictJson;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * Reads the JSON header of a safetensors file and believes nothing: every tensor's dtype, shape, size and place is
 * checked, and together the tensors must fill the data section without gap or overlap, as the format demands.
 */
final class HeaderParser {
    private static final String METADATA = "__metadata__";
    private static final int MAX_RANK = 32;

    private final String subject;
    private final long dataStart;
    private final long dataBytes;
    private final JsonParser json;
    private final Map<String, TensorEntry> entries = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private boolean metadataSeen;

    private HeaderParser(String subject, InputStream header, long dataStart, long dataBytes) {
        this.subject = subject;
        this.dataStart = dataStart;
        this.dataBytes = dataBytes;
        this.json = StrictJson.parser(header);
    }

    /**
     * What the header says.
     *
     * @param entries tensors in header order
     * @param metadata free text, empty if there is none
     */
    record Header(Map<String, TensorEntry> entries, Map<String, String> metadata) {}

    /**
     * Parses a header.
     *
     * @param subject the file, for messages
     * @param header its bytes, ending where the header ends
     * @param dataStart file offset of the data section
     * @param dataBytes size of the data section
     * @throws CheckpointException if anything about it is wrong
     */
    static Header parse(String subject, InputStream header, long dataStart, long dataBytes) {
        try {
            HeaderParser p = new HeaderParser(subject, header, dataStart, dataBytes);
            try (p.json) {
                p.document();
            }
            p.checkLayout();
            return new Header(p.entries, p.metadata);
        } catch (JacksonException e) {
            throw StrictJson.invalid(subject + ": header", e);
        }
    }

    private void document() {
        if (json.nextToken() != JsonToken.START_OBJECT) {
            throw fail("header: expected a JSON object, found " + StrictJson.found(json));
        }
        for (String name = json.nextName(); name != null; name = json.nextName()) {
            json.nextToken();
            if (name.equals(METADATA)) {
                metadata();
            } else {
                checkName(name);
                if (entries.put(name, tensor(name)) != null) {
                    throw fail(name, "is declared twice");
                }
            }
        }
        if (json.nextToken() != null) {
            throw fail("header: found " + StrictJson.found(json) + " after the JSON object, expected only spaces");
        }
    }

    private void metadata() {
        if (metadataSeen) {
            throw fail(METADATA + " occurs twice");
        }
        metadataSeen = true;
        if (json.currentToken() != JsonToken.START_OBJECT) {
            throw fail(METADATA + ": expected an object of strings, found " + StrictJson.found(json));
        }
        for (String key = json.nextName(); key != null; key = json.nextName()) {
            if (json.nextToken() != JsonToken.VALUE_STRING) {
                throw fail(METADATA + "." + StrictJson.shortened(key) + ": expected a string, found "
                        + StrictJson.found(json));
            }
            if (metadata.put(key, json.getString()) != null) {
                throw fail(METADATA + "." + StrictJson.shortened(key) + " occurs twice");
            }
        }
    }

    private void checkName(String name) {
        if (name.isEmpty()) {
            throw fail("header: a tensor has an empty name");
        }
        for (int i = 0; i < name.length(); i++) {
            if (name.charAt(i) < ' ') {
                throw fail("header: the tensor name " + StrictJson.shortened(name.replaceAll("\\p{Cntrl}", "?"))
                        + " has control characters");
            }
        }
    }

    private TensorEntry tensor(String name) {
        if (json.currentToken() != JsonToken.START_OBJECT) {
            throw fail(name, "expected an object, found " + StrictJson.found(json));
        }
        @Nullable DType dtype = null;
        long @Nullable [] shape = null;
        long @Nullable [] offsets = null;
        for (String field = json.nextName(); field != null; field = json.nextName()) {
            json.nextToken();
            switch (field) {
                case "dtype" -> dtype = once(name, field, dtype, dtype(name));
                case "shape" -> shape = once(name, field, shape, integers(name, field));
                case "data_offsets" -> offsets = once(name, field, offsets, integers(name, field));
                default ->
                    throw fail(
                            name,
                            "unknown field " + StrictJson.shortened(field)
                                    + ", expected dtype, shape and data_offsets");
            }
        }
        return entry(
                name,
                present(name, "dtype", dtype),
                present(name, "shape", shape),
                present(name, "data_offsets", offsets));
    }

    private <T> T once(String name, String field, @Nullable T before, T value) {
        if (before != null) {
            throw fail(name, "field " + field + " occurs twice");
        }
        return value;
    }

    private <T> T present(String name, String field, @Nullable T value) {
        if (value == null) {
            throw fail(name, "field " + field + " is missing");
        }
        return value;
    }

    private DType dtype(String name) {
        if (json.currentToken() != JsonToken.VALUE_STRING) {
            throw fail(name, "dtype: expected a string, found " + StrictJson.found(json));
        }
        String text = json.getString();
        return DTypeNames.parse(text)
                .orElseThrow(() -> fail(
                        name,
                        "dtype " + StrictJson.shortened(text)
                                + " is unknown, expected one of "
                                + Arrays.stream(DType.values())
                                        .map(DTypeNames::of)
                                        .toList()));
    }

    private long[] integers(String name, String field) {
        if (json.currentToken() != JsonToken.START_ARRAY) {
            throw fail(name, field + ": expected an array of integers, found " + StrictJson.found(json));
        }
        long[] values = new long[4];
        int n = 0;
        while (json.nextToken() != JsonToken.END_ARRAY) {
            if (n == MAX_RANK) {
                throw fail(name, field + ": more than " + MAX_RANK + " numbers");
            }
            if (n == values.length) {
                values = Arrays.copyOf(values, MAX_RANK);
            }
            values[n++] = integer(name, field);
        }
        return Arrays.copyOf(values, n);
    }

    private long integer(String name, String field) {
        boolean fits = json.currentToken() == JsonToken.VALUE_NUMBER_INT
                && json.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
        if (!fits || json.getLongValue() < 0) {
            throw fail(name, field + ": expected an integer of 0 to 2^63-1, found " + StrictJson.found(json));
        }
        return json.getLongValue();
    }

    private TensorEntry entry(String name, DType dtype, long[] shape, long[] offsets) {
        if (offsets.length != 2) {
            throw fail(name, "data_offsets: expected two numbers, found " + Arrays.toString(offsets));
        }
        long begin = offsets[0];
        long end = offsets[1];
        if (begin > end) {
            throw fail(name, "data_offsets: begin " + begin + " exceeds end " + end);
        }
        if (end > dataBytes) {
            throw fail(
                    name,
                    "bytes [" + begin + ", " + end + ") exceed the data section of " + dataBytes
                            + " bytes; is the file truncated?");
        }
        long expected;
        try {
            expected = dtype.bytes(Shape.elements(shape));
        } catch (WeftException e) {
            throw new CheckpointException(
                    subject + ": tensor " + StrictJson.shortened(name) + ": " + e.getMessage(), e);
        }
        if (expected != end - begin) {
            throw fail(
                    name,
                    "data_offsets give " + (end - begin) + " bytes, but " + DTypeNames.of(dtype) + " "
                            + Arrays.toString(shape) + " takes " + expected);
        }
        return new TensorEntry(name, dtype, shape, dataStart + begin, end - begin);
    }

    /** Tensors may be declared in any order, but their bytes must tile the data section. */
    private void checkLayout() {
        TensorEntry[] byOffset = entries.values().toArray(TensorEntry[]::new);
        Arrays.sort(byOffset, Comparator.comparingLong(TensorEntry::offset).thenComparingLong(TensorEntry::bytes));
        long at = dataStart;
        String before = "the header";
        for (TensorEntry e : byOffset) {
            if (e.offset() != at) {
                throw fail(
                        e.name(),
                        "bytes begin at file offset " + e.offset()
                                + (e.offset() < at ? " and overlap " : " and leave a gap after ") + before
                                + ", which ends at " + at);
            }
            at += e.bytes();
            before = "tensor " + StrictJson.shortened(e.name());
        }
        if (at != dataStart + dataBytes) {
            throw fail("the tensors end at file offset " + at + " but the file ends at " + (dataStart + dataBytes));
        }
    }

    private CheckpointException fail(String name, String what) {
        return fail("tensor " + StrictJson.shortened(name) + ": " + what);
    }

    private CheckpointException fail(String what) {
        return new CheckpointException(subject + ": " + what);
    }
}
