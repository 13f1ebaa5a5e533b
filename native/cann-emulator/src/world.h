// One aclInit..aclFinalize cycle: all objects, under one lock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "config.h"
#include "device_memory.h"
#include "fault.h"
#include "handle.h"
#include "race.h"

namespace emu {

struct Stream;
struct Event;
struct Graph;
struct Capture;
struct Executor;
struct TensorObject;
struct TensorList;
struct HostValue;
struct Communicator;

/** Streams, events and allocations belong to the context that was current when they were made. */
struct Context {
    void* handle = nullptr;
    int device = 0;
    bool primary = false;  // made by aclrtSetDevice
    std::shared_ptr<Stream> default_stream;
    int error = 0;  // sticky: a core exception ends the context
    std::string error_message;
};

struct Device {
    int references = 0;  // aclrtSetDevice minus aclrtResetDevice
    std::shared_ptr<Context> primary;
    std::set<int> peers;
};

using Lock = std::unique_lock<std::mutex>;

struct World {
    std::mutex mutex;
    std::condition_variable changed;  // a task ended, an event completed, a stream stopped
    std::atomic<bool> ready = false;
    std::atomic<uint64_t> generation = 0;
    std::vector<Device> devices;
    RaceDetector races;
    Clock host;
    uint32_t actors = 1;  // 0 is the host
    std::vector<std::shared_ptr<Capture>> captures;
    std::atomic<int64_t> first_phases = 0, second_phases = 0;  // that succeeded
    std::atomic<int> threads = 0;  // that have called; many of them hint at virtual threads on changing carriers

    Handles<Context> contexts{HandleKind::context};
    Handles<Stream> streams{HandleKind::stream};
    Handles<Event> events{HandleKind::event};
    Handles<Graph> graphs{HandleKind::graph};
    Handles<TensorObject> tensors{HandleKind::tensor};
    Handles<TensorList> lists{HandleKind::tensors};
    Handles<HostValue> scalars{HandleKind::scalar};
    Handles<std::vector<const void*>> scalar_lists{HandleKind::scalars};
    Handles<HostValue> integers{HandleKind::integers};
    Handles<HostValue> floats{HandleKind::floats};
    Handles<HostValue> booleans{HandleKind::booleans};
    Handles<Executor> executors{HandleKind::executor};
    Handles<Communicator> communicators{HandleKind::communicator};
    std::map<int32_t, int64_t> options;  // aclrtSetSysParamOpt
    std::set<std::string> warm_ops;           // have run in this world
    std::set<std::string> single_source_ops;  // used in this world, their signature is known from one source
};

World& world();

int init();
int finalize();

/**
 * How much there is of something now: "objects" (live handles of every kind), "device", "pinned" (live bytes and blocks),
 * and since aclInit: "first phases", "second phases" (successful ones). -1 for another name.
 */
int64_t count(const std::string& what);

/** The first thing every function does: 0, or the code to return (not initialised, injected failure). */
int enter(const char* function);
#define EMU_ENTER(function)                  \
    if (int code_ = emu::enter(function)) {  \
        return code_;                        \
    }

/** The context of this OS thread; nullptr after setting 107002 and its message. Lock held. */
std::shared_ptr<Context> current_context(const char* function);
std::shared_ptr<Context> current_context_or_null();
void make_current(std::shared_ptr<Context> context);
/** The sticky error of the context with its message, or 0. */
int sticky(const Context& context);
void poison(Context& context, int code, const std::string& message);

int set_device(int device);
int reset_device(int device, bool force);
std::shared_ptr<Context> make_context(int device, bool primary);
int destroy_context(const void* handle);

/** A host access of the sync kind: memcpy, memset, free. Reports a race. Lock held. */
void host_access(ByteRange range, bool write, const std::string& label, const char* rule = "race");

}  // namespace emu
