// Which functions the libraries of each family show. Loads them by path, as the backend does.
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace {

int failures = 0;

void expect(const std::string& folder, const char* library, const char* function, bool present) {
    std::string path = folder + "/lib64/lib" + library + ".so";
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        failures++;
        std::printf("%s\n", dlerror());
        return;
    }
    if ((dlsym(handle, function) != nullptr) != present) {
        failures++;
        std::printf("%s: %s should be %s\n", path.c_str(), function, present ? "there" : "absent");
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        return 2;
    }
    std::string folder = argv[2];
    if (std::strcmp(argv[1], "9") == 0) {
        expect(folder, "acl_rt", "aclrtMalloc", true);
        expect(folder, "acl_rt", "aclrtLaunchHostFunc", true);
        expect(folder, "acl_rt", "weftEmulatorFaults", true);
        expect(folder, "acl_rt", "aclnnAdd", false);
        expect(folder, "nnopbase", "aclCreateTensor", true);
        expect(folder, "opapi_math", "aclnnAdd", true);
        expect(folder, "opapi_nn", "aclnnAdd", false);
        expect(folder, "opapi_nn", "aclnnQuantMatmulV5GetWorkspaceSize", true);
        expect(folder, "opapi_transformer", "aclnnSparseFlashMla", true);
        expect(folder, "hcomm", "HcclGetRootInfo", true);
        expect(folder, "hccl", "HcclAllReduce", true);
        expect(folder, "hccl", "HcclCommConfigInit", false);
    } else if (std::strcmp(argv[1], "9.0") == 0) {
        expect(folder, "acl_rt", "weftEmulatorFaults", true);
        expect(folder, "hcomm", "HcclGetRootInfo", true);
        expect(folder, "opapi_nn", "aclnnQuantMatmulV5", true);
        expect(folder, "opapi_transformer", "aclnnGroupedMatmulWeightNz", true);
        expect(folder, "opapi_transformer", "aclnnSparseFlashMla", false);
        expect(folder, "opapi_transformer", "aclnnMhcPostGetWorkspaceSize", false);
    } else {
        expect(folder, "ascendcl", "aclrtMalloc", true);
        expect(folder, "ascendcl", "aclrtLaunchHostFunc", false);
        expect(folder, "ascendcl", "weftEmulatorConfigure", true);
        expect(folder, "nnopbase", "aclCreateTensor", true);
        expect(folder, "opapi", "aclnnAdd", true);
        expect(folder, "opapi", "aclnnMatmul", true);
        expect(folder, "opapi", "aclnnSparseFlashMla", false);
        expect(folder, "hccl", "HcclGetRootInfo", true);
        expect(folder, "hccl", "HcclAllReduce", true);
    }
    return failures == 0 ? 0 : 1;
}
