/** The suite that says whether a backend is right: every operator against the scalar reference, and whole models. */
module dev.weft.conformance {
    requires transitive dev.weft;
    requires transitive dev.weft.models;
    requires transitive org.junit.jupiter.api;
    requires java.management;
    requires jdk.management;
    requires static org.jspecify;

    exports dev.weft.bench;
    exports dev.weft.conformance;
    exports dev.weft.conformance.model;
}
