/** Graphs of tensor operators, the backends that run them, and the scalar reference of every operator. */
module dev.weft {
    requires jdk.jfr;
    requires org.slf4j;
    requires static org.jspecify;

    exports dev.weft;
    exports dev.weft.op;
    exports dev.weft.graph;
    exports dev.weft.runtime;
    exports dev.weft.spi;
    exports dev.weft.spi.nativelib;
    exports dev.weft.spi.support;
    exports dev.weft.reference;

    uses dev.weft.spi.BackendProvider;
}
