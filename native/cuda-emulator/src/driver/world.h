// Everything the driver knows: devices, contexts and the tables of handles. One lock guards it all.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace weft::driver {

using Lock = std::unique_lock<std::mutex>;

// Results of the driver that the emulator gives.
enum Result : int {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    STUB_LIBRARY = 34,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    NO_BINARY_FOR_GPU = 209,
    UNSUPPORTED_PTX_VERSION = 222,
    INVALID_HANDLE = 400,
    ILLEGAL_STATE = 401,
    NOT_FOUND = 500,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    LAUNCH_OUT_OF_RESOURCES = 701,
    PRIMARY_CONTEXT_ACTIVE = 708,
    HOST_MEMORY_ALREADY_REGISTERED = 712,
    HOST_MEMORY_NOT_REGISTERED = 713,
    MISALIGNED_ADDRESS = 716,
    LAUNCH_FAILED = 719,
    STREAM_CAPTURE_UNSUPPORTED = 900,
    STREAM_CAPTURE_INVALIDATED = 901,
    STREAM_CAPTURE_MERGE = 902,
    STREAM_CAPTURE_UNMATCHED = 903,
    STREAM_CAPTURE_UNJOINED = 904,
    STREAM_CAPTURE_ISOLATION = 905,
    CAPTURED_EVENT = 907,
    STREAM_CAPTURE_WRONG_THREAD = 908,
    GRAPH_EXEC_UPDATE_FAILURE = 910,
    INVALID_CLUSTER_SIZE = 912
};

struct Context {
    int device;
    int error = 0;  // of work that failed; every later call answers with it
};

struct Stream;
struct Event;
struct Image;
struct Function;
struct Graph;
struct Executable;
struct Pool {
    int device;
    uint64_t attributes[8] = {};
};

/** A number that is the address of nothing. Called under the lock. */
void *fresh_handle();

/** Objects by handle. No handle is used twice. */
template <class T>
class Table {
public:
    explicit Table(const char *kind) : kind_(kind) {}

    void *add(std::shared_ptr<T> object) {
        void *handle = fresh_handle();
        objects_.emplace(handle, std::move(object));
        made_.insert(handle);
        return handle;
    }
    /** Null if there is no such object; a handle that was destroyed or made up is a fault. */
    std::shared_ptr<T> find(const void *handle, const char *function);
    std::shared_ptr<T> take(const void *handle, const char *function) {
        auto object = find(handle, function);
        objects_.erase(handle);
        return object;
    }
    const std::map<const void *, std::shared_ptr<T>> &all() const { return objects_; }
    void clear() { objects_.clear(); }
    const char *kind() const { return kind_; }

private:
    const char *kind_;
    std::map<const void *, std::shared_ptr<T>> objects_;
    std::set<const void *> made_;
};

struct Device {
    std::shared_ptr<Context> context;  // primary; null while nobody retains it
    void *handle = nullptr;
    unsigned retained = 0, flags = 0;
    void *pool_handle = nullptr;
};

constexpr int most_devices = 16;

struct World {
    std::mutex mutex;
    std::condition_variable changed;
    bool initialised = false;
    std::array<Device, most_devices> devices;
    Table<Context> contexts{"context"};
    Table<Stream> streams{"stream"};
    Table<Event> events{"event"};
    Table<Image> images{"module"};
    Table<Function> functions{"function"};
    Table<Graph> graphs{"graph"};
    Table<Executable> executables{"executable graph"};
    Table<Pool> pools{"memory pool"}, default_pools{"memory pool"};
};

World &world();

/** Handle of this thread's current context, null for none. */
void *&current_handle();
/** What cuCtxPushCurrent saved on this thread. */
std::vector<void *> &context_stack();

/** Ends the primary context: what is still there is a leak. */
void end_context(Device &device, Lock &lock);

}  // namespace weft::driver
