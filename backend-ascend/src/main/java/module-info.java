/** The Ascend backend: CANN's runtime and operator libraries behind the device interface. */
module dev.weft.backend.ascend {
    requires dev.weft;
    requires org.slf4j;
    requires static org.jspecify;

    provides dev.weft.spi.BackendProvider with
            dev.weft.backend.ascend.AscendProvider;
}
