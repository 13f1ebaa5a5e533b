/** The CPU backend: native kernels, kernels in the Vector API, and the scalar reference kernels. */
module dev.weft.backend.cpu {
    requires dev.weft;
    requires dev.weft.natives;
    requires org.slf4j;
    // absent unless the user adds it: only classes of the vector package refer to it
    requires static jdk.incubator.vector;
    requires static org.jspecify;

    provides dev.weft.spi.BackendProvider with
            dev.weft.backend.cpu.CpuProvider;
}
