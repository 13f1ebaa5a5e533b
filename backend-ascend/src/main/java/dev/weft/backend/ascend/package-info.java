/**
 * Devices of Huawei's Ascend family through CANN. One platform thread per device makes every call of that device; the
 * thread knows the device's context, so that no call meets another one's. Kernels are sequences of aclnn operator calls
 * in two phases: the first validates and plans on the host, the second appends to the stream.
 */
package dev.weft.backend.ascend;
