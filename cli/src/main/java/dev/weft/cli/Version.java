package dev.weft.cli;

import java.util.Optional;
import picocli.CommandLine.IVersionProvider;

/** The version of this program as its jar says. */
final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
        return new String[] {"weft " + text()};
    }

    static String text() {
        return Optional.ofNullable(Main.class.getPackage().getImplementationVersion())
                .orElse("(not packaged)");
    }
}
