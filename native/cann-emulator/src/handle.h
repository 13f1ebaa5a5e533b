// Handles are addresses in a reserved range that nothing is mapped at, never given out twice: a caller that looks
// into one traps, and a stale one is always recognised.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

namespace emu {

enum class HandleKind : int {
    context,
    stream,
    event,
    graph,
    tensor,
    tensors,
    scalar,
    scalars,
    integers,
    floats,
    booleans,
    executor,
    communicator,
    count
};

const char* kind_name(HandleKind kind);
/** A new handle of that kind. */
uint64_t new_handle(HandleKind kind);
/** "aclTensor #12", "no handle". */
std::string describe_handle(const void* handle);
/** Whether this value was ever given out for that kind. */
bool was_handle(const void* handle, HandleKind kind);

template <typename T>
class Handles {
  public:
    explicit Handles(HandleKind kind) : kind_(kind) {}

    void* add(std::shared_ptr<T> object) {
        uint64_t handle = new_handle(kind_);
        live_.emplace(handle, std::move(object));
        return reinterpret_cast<void*>(handle);
    }

    /** nullptr when it is not a live handle of this kind. */
    std::shared_ptr<T> find(const void* handle) const {
        auto found = live_.find(reinterpret_cast<uint64_t>(handle));
        return found == live_.end() ? nullptr : found->second;
    }

    std::shared_ptr<T> take(const void* handle) {
        auto object = find(handle);
        live_.erase(reinterpret_cast<uint64_t>(handle));
        return object;
    }

    /** Why find() gave nothing: the name of the rule that is broken. */
    const char* why(const void* handle) const {
        return was_handle(handle, kind_) ? "use-after-destroy" : "wrong-handle";
    }

    const std::unordered_map<uint64_t, std::shared_ptr<T>>& all() const { return live_; }
    void clear() { live_.clear(); }
    size_t size() const { return live_.size(); }
    HandleKind kind() const { return kind_; }

  private:
    HandleKind kind_;
    std::unordered_map<uint64_t, std::shared_ptr<T>> live_;
};

}  // namespace emu
