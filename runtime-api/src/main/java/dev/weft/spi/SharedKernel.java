package dev.weft.spi;

/** Work of a group that a device records among its kernels. All ranks record it, or run it from a recording, together. */
public interface SharedKernel extends Kernel {
    /** See {@link DeviceCommunicator#agreed}: recordings of different numbers are different ones. */
    long agreed();

    @Override
    default long workspaceBytes() {
        return 0;
    }
}
