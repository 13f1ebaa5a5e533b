/**
 * Whether a backend is right, and how fast: the suite of every operator against the scalar reference and of whole models,
 * the comparison of devices node by node, and benchmarks.
 */
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
    exports dev.weft.verify;
}
