// What stands for a compiled kernel: a CUDA ELF header and the name of the library that has the kernels of the module.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace weft {

/** A stub of a module for a target such as sm_90a. */
inline std::string cubin_stub(const std::string &module, const std::string &target) {
    std::string bytes(64, '\0');
    std::memcpy(bytes.data(), "\177ELF\2\1\1\x41\x08", 9);  // 64 bits, little endian, ABI 8 of CUDA
    uint16_t type = 2, machine = 190;
    uint32_t flags = 0x06000002u | static_cast<uint32_t>(std::atoi(target.c_str() + 3)) << 8;
    std::memcpy(bytes.data() + 16, &type, sizeof type);
    std::memcpy(bytes.data() + 18, &machine, sizeof machine);
    std::memcpy(bytes.data() + 48, &flags, sizeof flags);
    return bytes + "weft-cuda-emulator " + module + " " + target + "\n" + '\0';
}

}  // namespace weft
