package dev.weft.cli;

import dev.weft.model.NumericMode;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Numeric modes by their lower-case names. */
final class NumericModeConverter implements ITypeConverter<NumericMode> {
    @Override
    public NumericMode convert(String value) {
        return Arrays.stream(NumericMode.values())
                .filter(m -> name(m).equals(value))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException("found '" + value + "', expected one of "
                        + Arrays.stream(NumericMode.values())
                                .map(NumericModeConverter::name)
                                .collect(Collectors.joining(", "))));
    }

    static String name(NumericMode mode) {
        return mode.name().toLowerCase(Locale.ROOT);
    }
}
