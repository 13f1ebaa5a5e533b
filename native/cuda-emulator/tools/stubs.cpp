// Writes the images that stand for compiled kernels: a CUDA ELF header, or PTX, and the name of the library that has
// them. Usage: stubs FOLDER MODULE...
#include <fstream>
#include <string>

#include "stub.h"

namespace {

const char *const cubins[] = {"sm_80", "sm_89", "sm_90a", "sm_100f", "sm_120f"};

void write(const std::string &path, const std::string &bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

int main(int count, char **arguments) {
    for (int i = 2; i < count; i++) {
        std::string module = arguments[i], start = std::string(arguments[1]) + "/" + module + ".";
        for (const char *target : cubins) {
            write(start + target + ".cubin", weft::cubin_stub(module, target));
        }
        write(start + "compute_80.ptx", "// weft-cuda-emulator " + module +
                                            " compute_80\n// tools, release 13.0, V13.0\n.version 9.0\n.target sm_80\n"
                                            ".address_size 64\n");
    }
    return 0;
}
