// Writes the images that stand for compiled kernels: a CUDA ELF header, or PTX, and the name of the library that has
// them. Usage: stubs FOLDER MODULE...
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>

namespace {

const char *const cubins[] = {"sm_80", "sm_89", "sm_90a", "sm_100f", "sm_120f"};

std::string elf_header(int sm) {
    std::string bytes(64, '\0');
    std::memcpy(bytes.data(), "\177ELF\2\1\1\x41\x08", 9);  // 64 bits, little endian, ABI 8 of CUDA
    uint16_t type = 2, machine = 190;
    uint32_t flags = 0x06000002u | static_cast<uint32_t>(sm) << 8;
    std::memcpy(bytes.data() + 16, &type, sizeof type);
    std::memcpy(bytes.data() + 18, &machine, sizeof machine);
    std::memcpy(bytes.data() + 48, &flags, sizeof flags);
    return bytes;
}

void write(const std::string &path, const std::string &bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

int main(int count, char **arguments) {
    for (int i = 2; i < count; i++) {
        std::string module = arguments[i], start = std::string(arguments[1]) + "/" + module + ".";
        for (const char *target : cubins) {
            write(start + target + ".cubin", elf_header(std::atoi(target + 3)) + "weft-cuda-emulator " + module + " " +
                                                 target + "\n" + '\0');
        }
        write(start + "compute_80.ptx", "// weft-cuda-emulator " + module +
                                            " compute_80\n// tools, release 13.0, V13.0\n.version 9.0\n.target sm_80\n"
                                            ".address_size 64\n");
    }
    return 0;
}
