#include "image.h"

#include <dlfcn.h>

#include <cstring>
#include <optional>

#include "settings.h"

namespace weft::driver {

namespace {

constexpr int EM_CUDA = 190;
constexpr size_t header_bytes = 64, machine_at = 18, flags_at = 48;
constexpr int toolkit = 13000;  // that stubs in PTX pretend to come from
constexpr const char mark[] = "weft-cuda-emulator ";

/** What a stub says: "weft-cuda-emulator MODULE TARGET". */
struct Stub {
    std::string module, target;
};

std::optional<Stub> parse(const char *text) {
    const char *at = std::strstr(text, mark);
    if (at == nullptr) {
        return std::nullopt;
    }
    std::string words(at + sizeof mark - 1);
    words = words.substr(0, words.find('\n'));
    size_t space = words.find(' ');
    if (space == std::string::npos) {
        return std::nullopt;
    }
    return Stub{words.substr(0, space), words.substr(space + 1)};
}

/** The number in "sm_90a" or "compute_80". */
int sm_of(const std::string &target) {
    return std::atoi(target.c_str() + target.find('_') + 1);
}

/** Whether a cubin for "sm_90a", "sm_100f" or "sm_80" runs on the chip. */
bool runs_on(const std::string &target, int sm) {
    int made_for = sm_of(target);
    switch (target.back()) {
        case 'a':
            return made_for == sm;
        case 'f':
        default:
            return made_for / 10 == sm / 10 && made_for <= sm;
    }
}

std::string folder_of_this_library() {
    Dl_info info;
    dladdr(reinterpret_cast<void *>(&load_image), &info);
    std::string path = info.dli_fname;
    return path.substr(0, path.rfind('/'));
}

/** Kernels of a library; a library stays loaded. */
const std::vector<simt::Kernel> *kernels_of(const std::string &module, std::string &why) {
    static std::map<std::string, std::vector<simt::Kernel>> loaded;
    auto found = loaded.find(module);
    if (found == loaded.end()) {
        simt::take_kernels();
        std::string path = folder_of_this_library() + "/kernels/" + module + ".so";
        if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
            why = dlerror();
            return nullptr;
        }
        found = loaded.emplace(module, simt::take_kernels()).first;
    }
    return &found->second;
}

}  // namespace

int load_image(const void *data, const std::shared_ptr<Context> &context, std::shared_ptr<Image> &image,
               std::string &why) {
    auto *bytes = static_cast<const char *>(data);
    std::optional<Stub> stub;
    if (std::memcmp(bytes, "\177ELF", 4) == 0) {
        uint16_t machine;
        uint32_t flags;
        std::memcpy(&machine, bytes + machine_at, sizeof machine);
        std::memcpy(&flags, bytes + flags_at, sizeof flags);
        if (machine != EM_CUDA) {
            why = "the image is an ELF file of machine " + std::to_string(machine) + ", not of CUDA";
            return INVALID_IMAGE;
        }
        int sm = static_cast<int>(flags >> 8 & 0xFF);
        if (sm / 10 != settings().chip->sm / 10 || sm > settings().chip->sm) {
            why = "the image is for sm_" + std::to_string(sm);
            return NO_BINARY_FOR_GPU;
        }
        stub = parse(bytes + header_bytes);
        if (stub && !runs_on(stub->target, settings().chip->sm)) {
            why = "the image is for " + stub->target;
            return NO_BINARY_FOR_GPU;
        }
    } else if (std::memcmp(bytes, "//", 2) == 0) {
        if (settings().driver_version < toolkit) {
            why = "the PTX is of CUDA 13.0";
            return UNSUPPORTED_PTX_VERSION;
        }
        stub = parse(bytes);
    }
    if (!stub) {
        why = "the image was not made for the emulator";
        return INVALID_IMAGE;
    }
    const std::vector<simt::Kernel> *kernels = kernels_of(stub->module, why);
    if (kernels == nullptr) {
        return INVALID_IMAGE;
    }
    image = std::make_shared<Image>(Image{context, stub->module, {}});
    for (const simt::Kernel &kernel : *kernels) {
        auto function = std::make_shared<Function>(
            Function{image, stub->module, kernel, sm_of(stub->target), stub->target.back() == 'a'});
        function->most_shared_bytes -= static_cast<int>(kernel.static_bytes);
        image->functions[kernel.name] = world().functions.add(function);
    }
    return SUCCESS;
}

void unload(Image &image) {
    for (auto &[name, handle] : image.functions) {
        world().functions.take(handle, "cuModuleUnload");
    }
}

}  // namespace weft::driver
