#include "driver.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>

namespace test {

namespace {

int failures = 0;

}  // namespace

std::vector<Case> &cases() {
    static std::vector<Case> all;
    return all;
}

void check(bool ok, const char *what, const char *file, int line) {
    if (!ok) {
        failures++;
        std::cerr << file << ":" << line << ": " << what << "\n";
    }
}

void check_equal(long long found, long long expected, const char *what, const char *file, int line) {
    if (found != expected) {
        failures++;
        std::cerr << file << ":" << line << ": " << what << ": found " << found << ", expected " << expected << "\n";
    }
}

void expect_fault(const std::string &rule, const char *file, int line) {
    std::string found = weftEmulatorFaults();
    bool as_expected = rule.empty() ? found.empty() : found.rfind(rule + ": ", 0) == 0 && found.find('\n') == std::string::npos;
    if (!as_expected) {
        failures++;
        std::cerr << file << ":" << line << ": found faults \"" << found << "\", expected "
                  << (rule.empty() ? "none" : rule) << "\n";
    }
}

Device::Device() {
    OK(cuInit(0));
    OK(cuDevicePrimaryCtxRetain(&context, 0));
    OK(cuCtxSetCurrent(context));
    OK(cuStreamCreate(&stream, 1));
}

Device::~Device() {
    cuStreamDestroy_v2(stream);  // refused after work that failed
    OK(cuDevicePrimaryCtxRelease_v2(0));
}

std::string image(const std::string &module, const std::string &target) {
    std::ifstream in(std::string(WEFT_IMAGES) + "/" + module + "." + target, std::ios::binary);
    check(in.good(), "the image can be read", __FILE__, __LINE__);
    return {std::istreambuf_iterator<char>(in), {}};
}

Kernels::Kernels(const char *name) {
    OK(cuModuleLoadDataEx(&module, image(name).c_str(), 0, nullptr, nullptr));
}

Kernels::~Kernels() {
    cuModuleUnload(module);
}

void *Kernels::function(const char *name) const {
    void *out = nullptr;
    OK(cuModuleGetFunction(&out, module, name));
    return out;
}

Memory::Memory(size_t size) : bytes(size) {
    OK(cuMemAlloc_v2(&address, bytes));
}

Memory::Memory(const std::vector<float> &values) : Memory(values.size() * sizeof(float)) {
    OK(cuMemcpyHtoD_v2(address, values.data(), bytes));
}

Memory::~Memory() {
    cuMemFree_v2(address);
}

std::vector<float> Memory::floats() const {
    std::vector<float> out(bytes / sizeof(float));
    OK(cuMemcpyDtoH_v2(out.data(), address, bytes));
    return out;
}

Gate::Gate(void *stream) {
    auto wait = [](void *gate) {
        while (!static_cast<Gate *>(gate)->open_) {
            std::this_thread::yield();
        }
    };
    OK(cuLaunchHostFunc(stream, wait, this));
}

Launch::Launch(std::vector<CUdeviceptr> operands) {
    for (size_t i = 0; i < operands.size(); i++) {
        call.at[i].data = reinterpret_cast<void *>(operands[i]);
    }
}

int Launch::on(void *stream, void *function) {
    CUlaunchConfig config{{grid, 1, 1}, {block, 1, 1}, shared_bytes, stream, nullptr, 0};
    void *parameters[] = {&call};
    return cuLaunchKernelEx(&config, function, parameters, nullptr);
}

}  // namespace test

int main(int count, char **arguments) {
    int ran = 0;
    for (const test::Case &c : test::cases()) {
        if (count > 1 && std::string(arguments[1]) != c.name) {
            continue;
        }
        const std::pair<const char *, const char *> usual[] = {{"sm", "90"}, {"devices", "1"},       {"memory", "1073741824"},
                                                               {"seed", "1"}, {"driver", "13000"},    {"delay", "20"},
                                                               {"fail", ""},  {"stub", "0"}};
        for (auto [key, value] : usual) {
            OK(weftEmulatorConfigure(key, value));
        }
        for (auto [key, value] : c.settings) {
            OK(weftEmulatorConfigure(key, value));
        }
        int before = test::failures;
        std::thread(c.body).join();
        FAULT("");
        std::cout << (test::failures == before ? "ok " : "FAILED ") << c.name << std::endl;
        ran++;
    }
    std::cout << ran << " cases, " << test::failures << " failures" << std::endl;
    return ran == 0 || test::failures != 0;
}
