/** Tables as Arrow IPC; tensors as Arrow vectors, C Data structures and DLPack tensors. */
module dev.weft.arrow {
    requires transitive dev.weft;
    requires org.apache.arrow.format;
    requires org.slf4j;
    requires static org.apache.arrow.memory.core;
    requires static org.apache.arrow.vector;
    requires static org.jspecify;

    exports dev.weft.arrow;
}
