#include "harness.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <set>
#include <sstream>
#include <thread>

#include "fault.h"
#include "op.h"

namespace test {

namespace {

int failures = 0;
const char* running = "";
std::set<std::string> broken;  // rules that some case has broken

}  // namespace

std::vector<Case>& cases() {
    static std::vector<Case> all;
    return all;
}

void check(bool ok, const char* what, const char* file, int line) {
    if (!ok) {
        failures++;
        std::printf("%s: %s:%d: %s\n", running, file, line, what);
    }
}

void check_equal(long long found, long long expected, const char* what, const char* file, int line) {
    if (found != expected) {
        failures++;
        const char* message = aclGetRecentErrMsg();
        std::printf("%s: %s:%d: %s is %lld, expected %lld (%s)\n", running, file, line, what, found, expected,
                    message ? message : "no message");
    }
}

namespace {

std::set<std::string> rules_in(const std::string& faults) {
    std::set<std::string> found;
    std::istringstream in(faults);
    for (std::string one; std::getline(in, one);) {
        found.insert(one.substr(0, one.find(':')));
        check(one.find('[') != std::string::npos && one.back() == ']', "a fault cites its document", __FILE__, __LINE__);
    }
    broken.insert(found.begin(), found.end());
    return found;
}

}  // namespace

std::string take_faults() {
    std::string text = weftEmulatorFaults();
    rules_in(text);
    return text;
}

void expect_faults(std::vector<std::string> rules, const char* file, int line) {
    std::string text = weftEmulatorFaults();
    std::set<std::string> found = rules_in(text), wanted(rules.begin(), rules.end());
    if (found != wanted) {
        failures++;
        std::string names;
        for (const std::string& rule : wanted) {
            names += rule + " ";
        }
        std::printf("%s: %s:%d: expected faults: %s\n  found:\n%s\n", running, file, line, names.c_str(), text.c_str());
    }
}

// ---- short forms

Buffer::Buffer(std::vector<int64_t> d, aclDataType dtype) : dims(std::move(d)) {
    int64_t count = 1;
    for (int64_t n : dims) {
        count *= n;
    }
    data = device_bytes(static_cast<size_t>(count) * emu::dtype_bits(dtype) / 8);
    tensor = aclCreateTensor(dims.data(), dims.size(), dtype, nullptr, 0, ACL_FORMAT_ND, dims.data(), dims.size(), data);
    CHECK(tensor != nullptr);
}

void Buffer::release() {
    OK(aclDestroyTensor(tensor));
    OK(aclrtFree(data));
}

aclTensor* float_tensor(void* data, std::vector<int64_t> dims, std::vector<int64_t> storage) {
    if (storage.empty()) {
        storage = dims;
    }
    return aclCreateTensor(dims.data(), dims.size(), ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, storage.data(), storage.size(), data);
}

aclrtStream make_stream() {
    aclrtStream stream = nullptr;
    OK(aclrtCreateStreamWithConfig(&stream, 0, ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC));
    return stream;
}

aclrtEvent make_event(uint32_t flags) {
    aclrtEvent event = nullptr;
    OK(aclrtCreateEventExWithFlag(&event, flags));
    return event;
}

void* device_bytes(size_t n) {
    void* p = nullptr;
    OK(aclrtMalloc(&p, n, ACL_MEM_MALLOC_HUGE_FIRST));
    return p;
}

void* pinned_bytes(size_t n) {
    void* p = nullptr;
    OK(aclrtMallocHost(&p, n));
    return p;
}

void upload(void* device, const std::vector<float>& values) {
    OK(aclrtMemcpy(device, values.size() * 4, values.data(), values.size() * 4, ACL_MEMCPY_HOST_TO_DEVICE));
}

std::vector<float> download(const void* device, size_t count) {
    std::vector<float> values(count);
    OK(aclrtMemcpy(values.data(), count * 4, device, count * 4, ACL_MEMCPY_DEVICE_TO_HOST));
    return values;
}

aclOpExecutor* add_executor(const aclTensor* self, const aclTensor* other, aclTensor* out) {
    float one = 1;
    aclScalar* alpha = aclCreateScalar(&one, ACL_FLOAT);
    uint64_t workspace = 0;
    aclOpExecutor* executor = nullptr;
    OK(aclnnAddGetWorkspaceSize(self, other, alpha, out, &workspace, &executor));
    EQUAL(workspace, 0);
    OK(aclDestroyScalar(alpha));
    return executor;
}

aclOpExecutor* muls_executor(const aclTensor* self, float factor, aclTensor* out) {
    aclScalar* scalar = aclCreateScalar(&factor, ACL_FLOAT);
    uint64_t workspace = 0;
    aclOpExecutor* executor = nullptr;
    OK(aclnnMulsGetWorkspaceSize(self, scalar, out, &workspace, &executor));
    OK(aclDestroyScalar(scalar));
    return executor;
}

int add(const Buffer& self, const Buffer& other, const Buffer& out, aclrtStream stream) {
    return aclnnAdd(nullptr, 0, add_executor(self.tensor, other.tensor, out.tensor), stream);
}

bool message_has(const char* part) {
    const char* message = aclGetRecentErrMsg();
    return message != nullptr && std::strstr(message, part) != nullptr;
}

bool traps(const std::function<void()>& body) {
    std::fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        body();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

namespace {

/** Settings a case makes stay for later worlds: put them back. */
void configure(const std::vector<std::pair<const char*, const char*>>& settings) {
    static const std::pair<const char*, const char*> defaults[] = {
        {"soc", "Ascend950DT_9591"}, {"devices", "2"}, {"memory", "268435456"}, {"seed", "7"}, {"delay", "200"},
        {"jitter", "0"}, {"version", "9.1.0"}, {"fail", ""},     {"hccl_timeout", "10"}};
    for (auto [key, value] : defaults) {
        OK(weftEmulatorConfigure(key, value));
    }
    for (auto [key, value] : settings) {
        OK(weftEmulatorConfigure(key, value));
    }
}

void run_case(const Case& c) {
    running = c.name;
    configure(c.settings);
    std::thread([&] {
        OK(aclInit(nullptr));
        OK(aclrtSetDevice(0));
        c.body();
        if (aclFinalize() == 0) {
            FAULTS();  // a case looks at its faults, leaks included, by finalizing itself
        }
    }).join();
    take_faults();
}

/** A rule that no case breaks is a rule nobody knows to work. */
void check_rules_are_tested() {
    for (const emu::Rule& rule : emu::rules()) {
        check(broken.count(rule.name) > 0, (std::string("no case breaks the rule ") + rule.name).c_str(), __FILE__, __LINE__);
    }
}

}  // namespace

int run(const char* only) {
    int count = 0;
    for (const Case& c : cases()) {
        if (only == nullptr || std::strcmp(only, c.name) == 0) {
            run_case(c);
            count++;
        }
    }
    if (only == nullptr) {
        running = "rules";
        check_rules_are_tested();
    }
    std::printf("%d cases, %d failed checks\n", count, failures);
    return failures == 0 && count > 0 ? 0 : 1;
}

}  // namespace test
