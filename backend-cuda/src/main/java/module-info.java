/** The CUDA backend: the CUDA driver and our kernels behind the device interface. */
module dev.weft.backend.cuda {
    requires dev.weft;
    requires org.slf4j;
    requires static org.jspecify;

    provides dev.weft.spi.BackendProvider with
            dev.weft.backend.cuda.CudaProvider;
}
