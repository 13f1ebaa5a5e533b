/** The native CPU kernels as a resource, and their loader. */
module dev.weft.natives {
    requires org.slf4j;
    requires static org.jspecify;

    exports dev.weft.natives;
}
