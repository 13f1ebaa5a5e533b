/** The {@code weft} command. */
module dev.weft.cli {
    requires dev.weft;
    requires dev.weft.arrow;
    requires dev.weft.conformance;
    requires dev.weft.models;
    requires dev.weft.ranks;
    requires java.management;
    requires jdk.jfr;
    requires info.picocli;
    requires tools.jackson.databind;
    requires static org.jspecify;

    opens dev.weft.cli to
            info.picocli;
}
