package dev.weft.arrow;

import dev.weft.DType;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A tensor as an Arrow array. Rank 0 and 1 are an array of values. From rank 2 on the first axis is the array's and the
 * others are one list of fixed size, as the canonical extension {@code arrow.fixed_shape_tensor} has it; its {@code shape}
 * counts Arrow values, so the last extent of FP4 is halved there, and {@code weft.shape} counts elements.
 *
 * @param format format string of the values
 * @param length values, or lists if there are any
 * @param listSize values in a list, {@link #NO_LIST} if there are no lists
 * @param metadata of the array's field
 */
record TensorLayout(String format, long length, long listSize, Map<String, String> metadata) {
    static final long NO_LIST = -1;

    private static final String EXTENSION = "ARROW:extension:name";
    private static final String EXTENSION_METADATA = "ARROW:extension:metadata";
    private static final String FIXED_SHAPE = "arrow.fixed_shape_tensor";
    private static final String DTYPE = "weft.dtype";
    private static final String SHAPE = "weft.shape";
    private static final String SCALING = "weft.scaling";
    private static final Pattern JSON_SHAPE = Pattern.compile("\"shape\"\\s*:\\s*\\[([0-9,\\s]*)]");

    /** @throws ArrowException if rows of FP4 do not fill whole bytes */
    static TensorLayout of(TensorType type) {
        ElementFormat format = ElementFormat.of(type.dtype());
        long[] dims = type.shape().maximum();
        int last = dims.length - 1;
        int perValue = format.perValue();
        if (dims.length > 0 && dims[last] % perValue != 0) {
            throw new ArrowException("tensor " + type + ": found rows of " + dims[last]
                    + " elements, expected whole bytes; pad the last axis to an even number");
        }
        Map<String, String> metadata = new LinkedHashMap<>();
        if (dims.length > 1) {
            long[] shape = Arrays.copyOfRange(dims, 1, dims.length);
            shape[last - 1] /= perValue;
            metadata.put(EXTENSION, FIXED_SHAPE);
            metadata.put(EXTENSION_METADATA, "{\"shape\":[" + text(shape) + "]}");
        }
        metadata.put(DTYPE, type.dtype().name().toLowerCase(Locale.ROOT));
        metadata.put(SHAPE, text(dims));
        if (!type.scaling().isNone()) {
            metadata.put(SCALING, type.scaling().toString());
        }
        long length = dims.length == 0 ? 1 : dims.length == 1 ? dims[0] / perValue : dims[0];
        long listSize = dims.length < 2 ? NO_LIST : Shape.elements(Arrays.copyOfRange(dims, 1, dims.length)) / perValue;
        return new TensorLayout(format.arrow(), length, listSize, metadata);
    }

    /**
     * What tensor the array is: by Weft's metadata, else by the extension's, else a list is a row. Without block scales, which
     * are an array of their own.
     *
     * @throws ArrowException if Weft has no such elements, or metadata and sizes disagree
     */
    TensorType type(String subject) {
        DType dtype = dtype(subject);
        long[] dims = dims(subject);
        TensorType type = TensorType.of(dtype, dims);
        long values = listSize == NO_LIST ? length : Math.multiplyExact(length, listSize);
        long found = Math.multiplyExact(values, ElementFormat.of(dtype).perValue());
        if (type.maxElements() != found) {
            throw new ArrowException(
                    subject + ": found " + found + " elements, expected those of the shape in its metadata, " + type);
        }
        return type;
    }

    private DType dtype(String subject) {
        String named = metadata.get(DTYPE);
        @Nullable
        DType dtype = named == null
                ? ElementFormat.plain(format)
                : Arrays.stream(DType.values())
                        .filter(d -> d.name().equalsIgnoreCase(named))
                        .filter(d -> ElementFormat.of(d).arrow().equals(format))
                        .findFirst()
                        .orElse(null);
        if (dtype == null) {
            throw new ArrowException(subject + ": found elements of Arrow format '" + format + "'"
                    + (named == null ? "" : " that " + DTYPE + " calls " + named)
                    + ", expected one of f, e, c, C, s, i, l, or S with " + DTYPE + " = bf16");
        }
        return dtype;
    }

    private long[] dims(String subject) {
        String own = metadata.get(SHAPE);
        if (own != null) {
            return numbers(subject, own);
        }
        if (listSize == NO_LIST) {
            return new long[] {length};
        }
        if (!FIXED_SHAPE.equals(metadata.get(EXTENSION))) {
            return new long[] {length, listSize};
        }
        String json = metadata.getOrDefault(EXTENSION_METADATA, "");
        Matcher shape = JSON_SHAPE.matcher(json);
        if (json.contains("\"permutation\"") || !shape.find()) {
            throw new ArrowException(subject + ": found tensor metadata " + json
                    + ", expected a shape without a permutation; make the tensor contiguous");
        }
        long[] inner = numbers(subject, shape.group(1));
        long[] dims = new long[inner.length + 1];
        dims[0] = length;
        System.arraycopy(inner, 0, dims, 1, inner.length);
        return dims;
    }

    private static String text(long[] dims) {
        return Arrays.stream(dims).mapToObj(Long::toString).collect(Collectors.joining(","));
    }

    private static long[] numbers(String subject, String text) {
        try {
            return text.isBlank()
                    ? new long[0]
                    : Arrays.stream(text.split(","))
                            .map(String::strip)
                            .mapToLong(Long::parseLong)
                            .toArray();
        } catch (NumberFormatException e) {
            throw new ArrowException(subject + ": found a shape of [" + text + "], expected numbers", e);
        }
    }
}
