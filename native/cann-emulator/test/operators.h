// Calling emulated operators through the C interface: device tensors from host values, both phases, checks. Values are
// encoded and decoded here, independently of the emulator.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "acl/acl_rt.h"
#include "aclnn/acl_meta.h"

extern "C" int weftEmulatorConfigure(const char* key, const char* value);
extern "C" const char* weftEmulatorFaults(void);

namespace operators {

inline int failures = 0;

inline void check(bool ok, const std::string& what, const char* file, int line) {
    if (!ok) {
        failures++;
        const char* message = aclGetRecentErrMsg();
        std::printf("%s:%d: %s (%s)\n", file, line, what.c_str(), message != nullptr ? message : "no message");
    }
}

#define CHECK(condition) operators::check((condition), #condition, __FILE__, __LINE__)
#define EQUAL(found, expected)                                                                                  \
    do {                                                                                                        \
        const auto found_ = (found);                                                                            \
        const auto expected_ = (expected);                                                                      \
        operators::check(found_ == expected_,                                                                   \
                         std::string(#found " is ") + std::to_string(found_) + ", expected " +                  \
                             std::to_string(expected_),                                                         \
                         __FILE__, __LINE__);                                                                   \
    } while (false)
#define NEAR(found, expected, tolerance)                                                                        \
    operators::near((found), (expected), (tolerance), #found, __FILE__, __LINE__)

inline void near(const std::vector<float>& found, const std::vector<float>& expected, double tolerance,
                 const char* what, const char* file, int line) {
    if (found.size() != expected.size()) {
        check(false, std::string(what) + ": " + std::to_string(found.size()) + " values, expected " +
                         std::to_string(expected.size()),
              file, line);
        return;
    }
    double scale = 0;
    for (float v : expected) {
        scale = std::fmax(scale, std::fabs(v));
    }
    for (size_t i = 0; i < found.size(); i++) {
        if (!(std::fabs(static_cast<double>(found[i]) - expected[i]) <= tolerance * scale)) {
            check(false, std::string(what) + "[" + std::to_string(i) + "] is " + std::to_string(found[i]) +
                             ", expected " + std::to_string(expected[i]),
                  file, line);
            return;
        }
    }
}

// ---- encodings

inline uint16_t bf16(float v) {
    const auto bits = std::bit_cast<uint32_t>(v);
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}
inline float from_bf16(uint16_t v) {
    return std::bit_cast<float>(static_cast<uint32_t>(v) << 16);
}
inline float round_bf16(float v) {
    return from_bf16(bf16(v));
}
inline float e4m3(uint8_t b) {
    if ((b & 0x7F) == 0x7F) {
        return NAN;
    }
    const int exponent = b >> 3 & 15, mantissa = b & 7;
    const double v = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
    return static_cast<float>(b & 0x80 ? -v : v);
}
inline float e2m1(int nibble) {
    static const float values[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
    return nibble & 8 ? -values[nibble & 7] : values[nibble & 7];
}

/** Uniform in [-1, 1), rounded to BF16 so that every dtype starts from the same values. */
inline std::vector<float> random_values(size_t n, uint32_t seed, float scale = 1) {
    std::mt19937 engine(seed);
    std::uniform_real_distribution<float> uniform(-scale, scale);
    std::vector<float> values(n);
    for (float& v : values) {
        v = round_bf16(uniform(engine));
    }
    return values;
}

using Dims = std::vector<int64_t>;

inline int64_t count(const Dims& dims) {
    int64_t n = 1;
    for (int64_t d : dims) {
        n *= d;
    }
    return n;
}

/** A device tensor of its own memory. */
class Ten {
  public:
    Ten(aclDataType dtype, Dims dims, const void* bytes, size_t size, Dims strides = {}, Dims storage = {},
        aclFormat format = ACL_FORMAT_ND)
        : dtype_(dtype), dims_(dims), size_(size) {
        CHECK(aclrtMalloc(&data_, size == 0 ? 64 : size, ACL_MEM_MALLOC_HUGE_FIRST) == 0);
        if (bytes != nullptr && size > 0) {
            CHECK(aclrtMemcpy(data_, size, bytes, size, ACL_MEMCPY_HOST_TO_DEVICE) == 0);
        }
        tensor_ = view(dims, std::move(strides), std::move(storage), format);
    }
    Ten(const Ten&) = delete;
    Ten(Ten&& other) noexcept
        : dtype_(other.dtype_), dims_(other.dims_), size_(other.size_), data_(other.data_), tensor_(other.tensor_) {
        other.data_ = nullptr;
        other.tensor_ = nullptr;
    }
    ~Ten() {
        if (tensor_ != nullptr) {
            aclDestroyTensor(tensor_);
        }
        if (data_ != nullptr) {
            aclrtFree(data_);
        }
    }

    aclTensor* get() const { return tensor_; }
    operator aclTensor*() const { return tensor_; }

    /** Gives the descriptor away: a destroyed tensor list destroys its members. */
    aclTensor* take() {
        aclTensor* t = tensor_;
        tensor_ = nullptr;
        return t;
    }

    aclTensor* view(Dims dims, Dims strides = {}, Dims storage = {}, aclFormat format = ACL_FORMAT_ND) const {
        if (strides.empty()) {
            strides.assign(dims.size(), 1);
            for (size_t i = dims.size(); i-- > 1;) {
                strides[i - 1] = strides[i] * dims[i];
            }
        }
        if (storage.empty()) {
            storage = dims;
        }
        return aclCreateTensor(dims.data(), dims.size(), dtype_, strides.data(), 0, format, storage.data(),
                               storage.size(), data_);
    }

    void set(const void* bytes) { CHECK(aclrtMemcpy(data_, size_, bytes, size_, ACL_MEMCPY_HOST_TO_DEVICE) == 0); }

    template <typename T>
    std::vector<T> raw() const {
        std::vector<T> host(size_ / sizeof(T));
        CHECK(aclrtMemcpy(host.data(), size_, data_, size_, ACL_MEMCPY_DEVICE_TO_HOST) == 0);
        return host;
    }

    std::vector<float> floats() const {
        std::vector<float> values;
        if (dtype_ == ACL_FLOAT) {
            return raw<float>();
        }
        if (dtype_ == ACL_BF16) {
            for (uint16_t v : raw<uint16_t>()) {
                values.push_back(from_bf16(v));
            }
        } else if (dtype_ == ACL_INT8) {
            for (int8_t v : raw<int8_t>()) {
                values.push_back(v);
            }
        } else {
            for (uint8_t v : raw<uint8_t>()) {
                values.push_back(dtype_ == ACL_FLOAT8_E8M0 ? std::ldexp(1.0F, v - 127) : e4m3(v));
            }
        }
        return values;
    }

  private:
    aclDataType dtype_;
    Dims dims_;
    size_t size_;
    void* data_ = nullptr;
    aclTensor* tensor_ = nullptr;
};

inline Ten f32(Dims dims, const std::vector<float>& v) {
    return {ACL_FLOAT, std::move(dims), v.data(), 4 * v.size()};
}
inline Ten b16(Dims dims, const std::vector<float>& v) {
    std::vector<uint16_t> bits;
    for (float x : v) {
        bits.push_back(bf16(x));
    }
    return {ACL_BF16, std::move(dims), bits.data(), 2 * bits.size()};
}
inline Ten i32(Dims dims, const std::vector<int32_t>& v) {
    return {ACL_INT32, std::move(dims), v.data(), 4 * v.size()};
}
inline Ten i64(Dims dims, const std::vector<int64_t>& v) {
    return {ACL_INT64, std::move(dims), v.data(), 8 * v.size()};
}
inline Ten bytes(aclDataType dtype, Dims dims, const std::vector<uint8_t>& v, Dims strides = {}, Dims storage = {},
                 aclFormat format = ACL_FORMAT_ND) {
    return {dtype, std::move(dims), v.data(), v.size(), std::move(strides), std::move(storage), format};
}
/** Fresh device memory: poison until written. */
inline Ten empty(aclDataType dtype, Dims dims, size_t element_bytes) {
    const size_t size = static_cast<size_t>(count(dims)) * element_bytes;
    return {dtype, std::move(dims), nullptr, size};
}

/** One world with one device and one stream. */
class Session {
  public:
    explicit Session(const char* soc = "Ascend950DT_9591", const char* seed = "1") {
        weftEmulatorConfigure("soc", soc);
        weftEmulatorConfigure("seed", seed);
        CHECK(aclInit(nullptr) == 0);
        CHECK(aclrtSetDevice(0) == 0);
        CHECK(aclrtCreateStream(&stream_) == 0);
    }
    /** A stream on this thread's device, in a world that somebody else made and ends. */
    static Session joined() { return Session(Joined{}); }

    ~Session() {
        if (joined_) {
            CHECK(aclrtDestroyStream(stream_) == 0);
            return;
        }
        if (!broken_) {
            CHECK(aclrtDestroyStream(stream_) == 0);
            CHECK(aclrtResetDevice(0) == 0);
        }
        aclFinalize();
        const std::string faults = weftEmulatorFaults();
        if (!broken_ && !faults.empty()) {
            check(false, "faults: " + faults, __FILE__, __LINE__);
        }
    }

    /** Both phases and a synchronisation; the first status that is not 0. */
    int call(const std::function<int(uint64_t*, aclOpExecutor**)>& plan,
             const std::function<int(void*, uint64_t, aclOpExecutor*, aclrtStream)>& run) {
        uint64_t size = 0;
        aclOpExecutor* executor = nullptr;
        int status = plan(&size, &executor);
        if (status != 0) {
            return status;
        }
        void* workspace = nullptr;
        if (size > 0) {
            CHECK(aclrtMalloc(&workspace, size, ACL_MEM_MALLOC_HUGE_FIRST) == 0);
        }
        status = run(workspace, size, executor, stream_);
        if (status == 0) {
            status = aclrtSynchronizeStream(stream_);
        }
        if (workspace != nullptr) {
            aclrtFree(workspace);
        }
        return status;
    }

    /** The context was ended on purpose: do not ask for a clean end. */
    void broken() { broken_ = true; }

  private:
    struct Joined {};
    explicit Session(Joined) : joined_(true) { CHECK(aclrtCreateStream(&stream_) == 0); }

    aclrtStream stream_ = nullptr;
    bool broken_ = false, joined_ = false;
};

#define CALL(session, op, ...)                                                                             \
    (session).call([&](uint64_t* size_, aclOpExecutor** executor_) {                                       \
        return op##GetWorkspaceSize(__VA_ARGS__, size_, executor_);                                        \
    }, op)

/** A list that owns its tensors. */
class List {
  public:
    explicit List(std::initializer_list<aclTensor*> tensors) {
        std::vector<const aclTensor*> members(tensors.begin(), tensors.end());
        list_ = aclCreateTensorList(members.data(), members.size());
    }
    List(const List&) = delete;
    ~List() { aclDestroyTensorList(list_); }
    operator aclTensorList*() const { return list_; }

  private:
    aclTensorList* list_;
};

/** Layouts of queries and caches, in memory that a callee may write to. */
inline char tnd[] = "TND";
inline char paged[] = "PA_BBND";

/** One-element tensors for results that a call does not ask for. */
class Placeholders {
  public:
    explicit Placeholders(int count) {
        for (int i = 0; i < count; i++) {
            tensors_.push_back(empty(ACL_FLOAT, {1}, 4));
        }
    }
    aclTensor* operator[](size_t i) const { return tensors_[i]; }

  private:
    std::vector<Ten> tensors_;
};

}  // namespace operators
