package dev.weft.cli;

import dev.weft.runtime.WeightRoute;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Routes of weights by their lower-case names. */
final class WeightRouteConverter implements ITypeConverter<WeightRoute> {
    @Override
    public WeightRoute convert(String value) {
        return Arrays.stream(WeightRoute.values())
                .filter(r -> name(r).equals(value))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException("found '" + value + "', expected one of "
                        + Arrays.stream(WeightRoute.values())
                                .map(WeightRouteConverter::name)
                                .collect(Collectors.joining(", "))));
    }

    private static String name(WeightRoute route) {
        return route.name().toLowerCase(Locale.ROOT);
    }
}
