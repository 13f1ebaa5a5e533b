// Copies and fills. Their ranges are checked when they are submitted and again when they run.
#include <atomic>
#include <cstring>

#include "driver/memory.h"
#include "entry.h"

using namespace weft::driver;

namespace {

std::atomic<uint64_t> bytes_to_host;

/** One end of a copy. Host memory that is not pinned is the caller's to keep. */
struct End {
    uint64_t address;
    bool is_pageable;
};

End device(CUdeviceptr address) {
    return {address, false};
}

End host(const void *address, size_t bytes) {
    auto at = reinterpret_cast<uint64_t>(address);
    return {at, !is_pinned(at, bytes)};
}

End any(CUdeviceptr address, size_t bytes) {
    return is_device_address(address) ? device(address) : host(reinterpret_cast<void *>(address), bytes);
}

/** Where the host finds it; nullptr after a fault. */
char *find(const End &end, size_t bytes, const char *function) {
    if (end.is_pageable) {
        return reinterpret_cast<char *>(end.address);
    }
    void *at = reach(end.address, bytes);
    if (at == nullptr) {
        fault("illegal-address",
              std::string(function) + " of " + std::to_string(bytes) + " bytes: " + describe(end.address));
    }
    return static_cast<char *>(at);
}

bool is_allocated(const End &end, size_t bytes) {
    return end.is_pageable || reach(end.address, bytes) != nullptr;
}

/** `rows` pieces of `bytes`, so far apart at either end. */
struct Shape {
    size_t bytes, rows = 1, to_pitch = 0, from_pitch = 0;

    size_t to_bytes() const { return (rows - 1) * to_pitch + bytes; }
    size_t from_bytes() const { return (rows - 1) * from_pitch + bytes; }
};

int copy(const End &to, const End &from, const Shape &shape, const char *function) {
    Lock lock(world().mutex);
    char *target = find(to, shape.to_bytes(), function), *source = find(from, shape.from_bytes(), function);
    if (target == nullptr || source == nullptr) {
        return ILLEGAL_ADDRESS;
    }
    for (size_t row = 0; row < shape.rows; row++) {
        std::memmove(target + row * shape.to_pitch, source + row * shape.from_pitch, shape.bytes);
    }
    return SUCCESS;
}

int copy_now(const char *function, const End &to, const End &from, size_t bytes, Entered &e) {
    if (bytes == 0) {
        return SUCCESS;
    }
    if (!is_allocated(to, bytes) || !is_allocated(from, bytes)) {
        return INVALID_VALUE;
    }
    e.lock.unlock();
    return copy(to, from, {bytes}, function);
}

int copy_async(const char *function, const End &to, End from, const Shape &shape, void *stream, Entered &e) {
    auto found = find_stream(stream, e);
    if (!found) {
        return INVALID_HANDLE;
    }
    if (shape.bytes == 0 || shape.rows == 0) {
        return SUCCESS;
    }
    if (!is_allocated(to, shape.to_bytes()) || !is_allocated(from, shape.from_bytes())) {
        return INVALID_VALUE;
    }
    std::shared_ptr<char[]> staged;
    if (from.is_pageable && !found->capture) {
        // what is not pinned is staged before the call returns
        staged.reset(new char[shape.from_bytes()]);
        std::memcpy(staged.get(), reinterpret_cast<char *>(from.address), shape.from_bytes());
        from.address = reinterpret_cast<uint64_t>(staged.get());
    }
    Work work = [=] {
        (void)staged;
        return copy(to, from, shape, function);
    };
    int code = submit(stream, e, {NodeType::MEMCPY, std::move(work), {}});
    if (code == SUCCESS && to.is_pageable && !found->capture) {
        found->wait_until_idle(e.lock);
        code = e.context->error;
    }
    return code;
}

template <class T>
int fill(const char *function, CUdeviceptr address, T value, size_t count, void *stream) {
    return call(function, CONTEXT, [&](Entered &e) -> int {
        if (count == 0) {
            return find_stream(stream, e) ? SUCCESS : INVALID_HANDLE;
        }
        if (address % sizeof(T) != 0 || reach(address, count * sizeof(T)) == nullptr) {
            return INVALID_VALUE;
        }
        Work work = [=]() -> int {
            Lock lock(world().mutex);
            char *at = find(device(address), count * sizeof(T), function);
            for (size_t i = 0; at != nullptr && i < count; i++) {
                std::memcpy(at + i * sizeof(T), &value, sizeof(T));
            }
            return at == nullptr ? ILLEGAL_ADDRESS : SUCCESS;
        };
        return submit(stream, e, {NodeType::MEMSET, std::move(work), {}});
    });
}

}  // namespace

WEFT_DRIVER cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
    return call("cuMemcpyHtoD_v2", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        return copy_now("cuMemcpyHtoD_v2", device(to), host(from, bytes), bytes, e);
    });
}

WEFT_DRIVER cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
    return call("cuMemcpyDtoH_v2", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        return copy_now("cuMemcpyDtoH_v2", host(to, bytes), device(from), bytes, e);
    });
}

WEFT_DRIVER cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, void *stream) {
    return call("cuMemcpyHtoDAsync_v2", CONTEXT, [&](Entered &e) -> int {
        return copy_async("cuMemcpyHtoDAsync_v2", device(to), host(from, bytes), {bytes}, stream, e);
    });
}

WEFT_DRIVER cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, void *stream) {
    bytes_to_host += bytes;
    return call("cuMemcpyDtoHAsync_v2", CONTEXT, [&](Entered &e) -> int {
        return copy_async("cuMemcpyDtoHAsync_v2", host(to, bytes), device(from), {bytes}, stream, e);
    });
}

WEFT_DRIVER cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, void *stream) {
    return call("cuMemcpyDtoDAsync_v2", CONTEXT, [&](Entered &e) -> int {
        return copy_async("cuMemcpyDtoDAsync_v2", device(to), device(from), {bytes}, stream, e);
    });
}

WEFT_DRIVER cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, void *stream) {
    return call("cuMemcpyAsync", CONTEXT, [&](Entered &e) -> int {
        return copy_async("cuMemcpyAsync", any(to, bytes), any(from, bytes), {bytes}, stream, e);
    });
}

WEFT_DRIVER cuMemcpyPeerAsync(CUdeviceptr to, void *, CUdeviceptr from, void *, size_t bytes, void *stream) {
    return call("cuMemcpyPeerAsync", CONTEXT, [&](Entered &e) -> int {
        return copy_async("cuMemcpyPeerAsync", device(to), device(from), {bytes}, stream, e);
    });
}

/** Bytes that streams have copied from devices to the host since the last call. */
extern "C" __attribute__((visibility("default"))) uint64_t weftEmulatorBytesToHost() {
    return bytes_to_host.exchange(0);
}

namespace {

/** CUDA_MEMCPY2D. */
struct Copy2D {
    struct Side {
        size_t x, y;
        unsigned type;  // 1 host, 2 device
        void *host;
        CUdeviceptr device;
        void *array;
        size_t pitch;
    };
    Side from, to;
    size_t width, height;
};
static_assert(sizeof(Copy2D) == 128);

End corner(const Copy2D::Side &side, size_t bytes) {
    size_t offset = side.y * side.pitch + side.x;
    return side.type == 2 ? device(side.device + offset) : host(static_cast<char *>(side.host) + offset, bytes);
}

}  // namespace

WEFT_DRIVER cuMemcpy2DAsync_v2(const Copy2D *c, void *stream) {
    return call("cuMemcpy2DAsync_v2", CONTEXT, [&](Entered &e) -> int {
        for (const Copy2D::Side *side : {&c->from, &c->to}) {
            if ((side->type != 1 && side->type != 2) || (c->height > 1 && side->pitch < side->x + c->width)) {
                return INVALID_VALUE;
            }
        }
        Shape shape{c->width, c->height, c->to.pitch, c->from.pitch};
        return copy_async("cuMemcpy2DAsync_v2", corner(c->to, shape.to_bytes()), corner(c->from, shape.from_bytes()),
                          shape, stream, e);
    });
}

WEFT_DRIVER cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t count, void *stream) {
    return fill("cuMemsetD8Async", address, value, count, stream);
}

WEFT_DRIVER cuMemsetD32Async(CUdeviceptr address, unsigned value, size_t count, void *stream) {
    return fill("cuMemsetD32Async", address, value, count, stream);
}
