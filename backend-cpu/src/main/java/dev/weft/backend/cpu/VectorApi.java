package dev.weft.backend.cpu;

import dev.weft.backend.cpu.vector.VectorKernels;

/**
 * Whether the Vector API is there, and the way to its kernels. The module incubates: a program has it only with
 * {@code --add-modules jdk.incubator.vector}, so no other class may refer to classes that need it.
 */
final class VectorApi {
    private static final String MODULE = "jdk.incubator.vector";

    private VectorApi() {}

    static boolean isPresent() {
        return ModuleLayer.boot().findModule(MODULE).isPresent();
    }

    static KernelSet kernels(int threads) {
        ModuleLayer.boot().findModule(MODULE).ifPresent(VectorApi.class.getModule()::addReads);
        return new VectorKernels(new ReferenceKernels(), new Workers("weft-vector", threads));
    }
}
