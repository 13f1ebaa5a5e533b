#include "copy.h"

#include <cstring>
#include <vector>

#include "capture.h"
#include "stream.h"

namespace emu {

namespace {

enum class Place { device, pinned, pageable };

struct Side {
    Place place;
    int device = -1;
};

ByteRange range_of(const void* p, size_t pitch, size_t width, size_t height) {
    uint64_t begin = reinterpret_cast<uint64_t>(p);
    return {begin, begin + pitch * (height - 1) + width};
}

/** 0, or an error when a device pointer leads outside live memory. */
int place(const char* function, ByteRange range, Side& side) {
    if (!is_device(range.begin)) {
        side.place = is_pinned(range) ? Place::pinned : Place::pageable;
        return 0;
    }
    side.place = Place::device;
    side.device = device_of(range.begin);
    if (allocation_of(range) == nullptr) {
        bool starts = allocation_of({range.begin, range.begin}) != nullptr;
        std::string what = std::string(function) + " of device memory " + describe(range);
        fault(starts ? "tensor-bounds" : "use-after-free",
              what + (starts ? ", which leaves its allocation" : ", which is not allocated"));
        return fail(ACL_ERROR_RT_PARAM_INVALID, std::string(function) + ": no live device allocation holds " +
                    describe(range));
    }
    return 0;
}

/** runtime docs aclrtMemcpy: the kind must match the pointers. */
bool kind_matches(int kind, bool dst_device, bool src_device) {
    switch (kind) {
        case ACL_MEMCPY_HOST_TO_HOST:
            return !dst_device && !src_device;
        case ACL_MEMCPY_HOST_TO_DEVICE:
        case ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE:
            return dst_device && !src_device;
        case ACL_MEMCPY_DEVICE_TO_HOST:
            return !dst_device && src_device;
        case ACL_MEMCPY_DEVICE_TO_DEVICE:
        case ACL_MEMCPY_INNER_DEVICE_TO_DEVICE:
        case ACL_MEMCPY_INTER_DEVICE_TO_DEVICE:
            return dst_device && src_device;
        default:
            return kind == ACL_MEMCPY_DEFAULT;
    }
}

struct Plan {
    Side dst, src;
    std::vector<Access> accesses;  // of device and pinned memory
};

void add_accesses(std::vector<Access>& out, const void* p, size_t pitch, const Rows& rows, bool write) {
    if (pitch == rows.width || rows.height == 1) {
        out.push_back({range_of(p, pitch, rows.width, rows.height), write});
        return;
    }
    for (size_t row = 0; row < rows.height; row++) {
        out.push_back({range_of(static_cast<const char*>(p) + row * pitch, pitch, rows.width, 1), write});
    }
}

int plan_copy(const char* function, const Rows& r, size_t capacity, int kind, Plan& plan) {
    std::string name = function;
    if (r.dst == nullptr || r.src == nullptr) {
        return fail(ACL_ERROR_INVALID_PARAM, name + ": NULL pointer");
    }
    if (r.height > 1 && (r.dst_pitch < r.width || r.src_pitch < r.width)) {
        return fail(ACL_ERROR_INVALID_PARAM, name + ": a pitch is smaller than the width");
    }
    if (r.height == 1 && r.width > capacity) {
        return fail(ACL_ERROR_INVALID_PARAM, name + ": " + std::to_string(r.width) + " bytes do not fit destMax " +
                                                 std::to_string(capacity));
    }
    ByteRange to = range_of(r.dst, r.dst_pitch, r.width, r.height),
        from = range_of(r.src, r.src_pitch, r.width, r.height);
    int code;
    if ((code = place(function, to, plan.dst)) || (code = place(function, from, plan.src))) {
        return code;
    }
    bool to_device = plan.dst.place == Place::device, from_device = plan.src.place == Place::device;
    if (!kind_matches(kind, to_device, from_device)) {
        return fail(ACL_ERROR_RT_PARAM_INVALID, name + ": kind " + std::to_string(kind) + " does not match " +
                                                    (from_device ? "device" : "host") + " source and " +
                                                    (to_device ? "device" : "host") + " destination");
    }
    auto context = current_context(function);
    if (context == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    if ((code = sticky(*context))) {
        return code;
    }
    if (to_device && from_device && plan.dst.device != plan.src.device &&
        !world().devices[static_cast<size_t>(context->device)].peers.count(
            plan.dst.device == context->device ? plan.src.device : plan.dst.device)) {
        return fail(ACL_ERROR_RT_PARAM_INVALID, name + ": copy between devices without aclrtDeviceEnablePeerAccess");
    }
    if (plan.src.place != Place::pageable) {
        add_accesses(plan.accesses, r.src, r.src_pitch, r, false);
    }
    if (plan.dst.place != Place::pageable) {
        add_accesses(plan.accesses, r.dst, r.dst_pitch, r, true);
    }
    return 0;
}

void move(const Rows& r, const Plan& plan) {
    for (size_t row = 0; row < r.height; row++) {
        char* to = static_cast<char*>(r.dst) + row * r.dst_pitch;
        const char* from = static_cast<const char*>(r.src) + row * r.src_pitch;
        std::memmove(plan.dst.place == Place::device ? device_pointer(reinterpret_cast<uint64_t>(to)) : to,
                     plan.src.place == Place::device ? device_pointer(reinterpret_cast<uint64_t>(from)) : from,
                         r.width);
    }
}

/** A late copy into pinned memory shows whoever looks too early: fill it, unless queued work still uses it. */
void poison_destination(const Rows& r) {
    ByteRange range = range_of(r.dst, r.dst_pitch, r.width, r.height);
    if (world().races.ordered(range, world().host)) {
        for (size_t row = 0; row < r.height; row++) {
            std::memset(static_cast<char*>(r.dst) + row * r.dst_pitch, 0xFF, r.width);
        }
    }
}

}  // namespace

int copy(const char* function, const Rows& rows, size_t capacity, int kind) {
    if (rows.width == 0 || rows.height == 0) {
        return 0;  // runtime source: no bytes, no checks
    }
    Plan plan;
    Lock lock(world().mutex);
    int code = plan_copy(function, rows, capacity, kind, plan);
    if (code || (code = forbid_synchronous_copy(function))) {
        return code;
    }
    for (const Access& a : plan.accesses) {
        host_access(a.range, a.write, function);
    }
    lock.unlock();
    move(rows, plan);
    return 0;
}

int copy_async(const char* function, const Rows& rows, size_t capacity, int kind, void* on) {
    if (rows.width == 0 || rows.height == 0) {
        return 0;
    }
    Lock lock(world().mutex);
    std::shared_ptr<Stream> stream;
    Plan plan;
    int code;
    if ((code = find_stream(on, function, stream)) || (code = plan_copy(function, rows, capacity, kind, plan))) {
        return code;
    }
    if (plan.dst.place != Place::device && plan.src.place != Place::device) {
        return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, std::string(function) + ": host to host");
    }
    bool blocks = plan.dst.place == Place::pageable || plan.src.place == Place::pageable;
    bool captured = stream->capture != nullptr;
    if (kind == ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE && !captured) {
        auto kept = std::make_shared<std::vector<char>>();
        Rows from_kept = rows;
        for (size_t row = 0; row < rows.height; row++) {
            const char* from = static_cast<const char*>(rows.src) + row * rows.src_pitch;
            kept->insert(kept->end(), from, from + rows.width);
        }
        from_kept.src = kept->data();
        from_kept.src_pitch = rows.width;
        std::erase_if(plan.accesses, [](const Access& a) { return !is_device(a.range.begin); });
        plan.src.place = Place::pageable;
        return submit(stream, {function, plan.accesses, [from_kept, kept, plan] { move(from_kept, plan); }});
    }
    if (blocks && captured) {
        invalidate(stream->capture, std::string(function) + " of pageable host memory");
        return fail(ACL_ERROR_RT_CAPTURE_MODE_BLOCK_ASYNC, std::string(function) +
                    ": pageable host memory on a captured stream");
    }
    if (plan.dst.place == Place::pinned && !captured) {
        poison_destination(rows);
    }
    code = submit(stream, {function, plan.accesses, [rows, plan] { move(rows, plan); }});
    return code == 0 && blocks ? synchronize(stream, lock, -1) : code;
}

namespace {

int plan_fill(const char* function, void* dst, size_t capacity, size_t count, ByteRange& range) {
    if (dst == nullptr || count > capacity) {
        return fail(ACL_ERROR_INVALID_PARAM, std::string(function) + ": NULL pointer or " + std::to_string(count) +
                                                 " bytes beyond maxCount " + std::to_string(capacity));
    }
    range = range_of(dst, count, count, 1);
    Side side{};
    if (int code = place(function, range, side)) {
        return code;
    }
    if (side.place == Place::pageable) {
        return fail(ACL_ERROR_RT_PARAM_INVALID, std::string(function) + ": pageable host memory");
    }
    auto context = current_context(function);
    return context == nullptr ? static_cast<int>(ACL_ERROR_RT_CONTEXT_NULL) : sticky(*context);
}

void set(ByteRange range, int value) {
    void* at = is_device(range.begin) ? device_pointer(range.begin) : reinterpret_cast<void*>(range.begin);
    std::memset(at, value, range.end - range.begin);
}

}  // namespace

int fill(void* dst, size_t capacity, int value, size_t count) {
    if (count == 0) {
        return 0;
    }
    Lock lock(world().mutex);
    ByteRange range;
    int code = plan_fill("aclrtMemset", dst, capacity, count, range);
    if (code || (code = forbid_synchronous_copy("aclrtMemset"))) {
        return code;
    }
    host_access(range, true, "aclrtMemset");
    set(range, value);
    return 0;
}

int fill_async(void* dst, size_t capacity, int value, size_t count, void* on) {
    if (count == 0) {
        return 0;
    }
    Lock lock(world().mutex);
    std::shared_ptr<Stream> stream;
    ByteRange range;
    int code;
    if ((code = find_stream(on, "aclrtMemsetAsync", stream)) ||
        (code = plan_fill("aclrtMemsetAsync", dst, capacity, count, range))) {
        return code;
    }
    return submit(stream, {"aclrtMemsetAsync", {{range, true}}, [range, value] { set(range, value); }});
}

}  // namespace emu
