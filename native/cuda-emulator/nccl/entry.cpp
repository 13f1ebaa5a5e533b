// The functions of libnccl.so.2 that the backend calls, on the public functions of the emulated driver.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>

#include "world.h"

#define WEFT_NCCL extern "C" __attribute__((visibility("default"))) int

extern "C" int cuCtxGetCurrent(void **context);
extern "C" int cuCtxSetCurrent(void *context);
extern "C" int cuStreamGetCaptureInfo_v2(void *stream, int *status, unsigned long long *id, void **graph, const void **nodes,
                                         size_t *count);
extern "C" int cuUserObjectCreate(void **out, void *pointer, void (*destroy)(void *), unsigned references, unsigned flags);
extern "C" int cuGraphRetainUserObject(void *graph, void *object, unsigned count, unsigned flags);
extern "C" int cuLaunchHostFunc(void *stream, void (*function)(void *), void *argument);

using namespace weft::nccl;

namespace {

struct UniqueId {
    char bytes[128];
};

/** ncclConfig_t of NCCL 2.14. */
struct Config {
    size_t size;
    unsigned magic, version;
    int blocking;
};

/** From this version on a group ends its communicators together; an older one ends each when it is told to. */
constexpr uint64_t ENDS_IN_GROUPS = 22200;

/** Calls between ncclGroupStart and ncclGroupEnd of a thread. */
struct Group {
    int depth = 0;
    int error = 0;  // of a call, with which the whole group fails
    std::vector<std::pair<void *, std::pair<void *, Move>>> calls;  // communicator, stream, what it moves
    std::vector<void *> ending;  // aborted
};

Group &group() {
    static thread_local Group it;
    return it;
}

/** What a stream carries out. */
struct Launch {
    std::shared_ptr<Comm> comm;
    std::vector<Move> moves;
    uint64_t number;

    static void run(void *self) {
        std::unique_ptr<Launch> launch(static_cast<Launch *>(self));
        carry_out(launch->comm, launch->moves, launch->number);
        if (launch->number == RECORDED) {
            launch.release();  // the graph may run again
        }
    }

    /** No graph is left that could run it. */
    static void drop(void *self) {
        std::unique_ptr<Launch> launch(static_cast<Launch *>(self));
        Lock lock(world().mutex);
        launch->comm->recorded--;
        world().changed.notify_all();
    }
};

/** Lets the graph that records this call own it. */
int give_to_graph(void *graph, Launch *launch) {
    void *object = nullptr;
    if (int code = cuUserObjectCreate(&object, launch, Launch::drop, 1, 1)) {
        return code;
    }
    return cuGraphRetainUserObject(graph, object, 1, 1);
}

std::shared_ptr<Comm> find(void *handle, const char *function) {
    World &w = world();
    auto found = w.comms.find(handle);
    if (found != w.comms.end()) {
        return found->second;
    }
    fault(w.gone.count(handle) ? "use-after-destroy" : "invalid-handle", std::string(function) + ": no such communicator");
    return nullptr;
}

/** Counts the call, takes the lock and finds the communicator. */
int with(const char *function, void *handle, const std::function<int(Lock &, const std::shared_ptr<Comm> &)> &body) {
    Lock lock(world().mutex);
    if (int code = injected(function)) {
        return code;
    }
    auto comm = find(handle, function);
    return comm ? body(lock, comm) : INVALID_ARGUMENT;
}

/** A thread of the library puts the group on its stream, some time later: callers have to ask whether it is there. */
void launch(const std::shared_ptr<Comm> &comm, void *stream, std::vector<Move> moves) {
    int capturing = 0;
    void *graph = nullptr;
    cuStreamGetCaptureInfo_v2(stream, &capturing, nullptr, &graph, nullptr, nullptr);
    uint64_t number = capturing != 0 ? RECORDED : ++comm->groups;
    if (number == RECORDED) {
        comm->recording++;
        comm->recorded++;
    }
    uint64_t most = numbers(world().settings["delay"])[0];
    std::thread([=, moves = std::move(moves)]() mutable {
        std::mt19937_64 random(number * 1000003 + static_cast<uint64_t>(comm->rank));
        std::this_thread::sleep_for(std::chrono::microseconds(random() % (most + 1)));
        cuCtxSetCurrent(comm->context);
        auto *argument = new Launch{comm, std::move(moves), number};
        int code = cuLaunchHostFunc(stream, Launch::run, argument);
        if (code != 0) {
            delete argument;
        } else if (number == RECORDED) {
            code = give_to_graph(graph, argument);
        }
        Lock lock(world().mutex);
        if (code != 0) {
            comm->recorded -= number == RECORDED ? 1 : 0;
            comm->error = UNHANDLED_CUDA_ERROR;
            comm->done += number == RECORDED ? 0 : 1;
        }
        number == RECORDED ? comm->recording-- : comm->launched++;
        world().changed.notify_all();
    }).detach();
}

int submit(const char *function, void *handle, void *stream, int type, const Move &move) {
    Group &g = group();
    int code = with(function, handle, [&](Lock &, const std::shared_ptr<Comm> &comm) -> int {
        int least = move.kind == Kind::ALL_GATHER ? -1 : 0;
        if (type != 1 || move.peer < least || move.peer >= comm->clique->size) {
            fault("arguments", std::string(function) + ": type or rank");
            return INVALID_ARGUMENT;
        }
        if (g.depth == 0) {
            fault("group-protocol", std::string(function) + " outside of a group");
            return INVALID_USAGE;
        }
        if (!comm->is_whole() || !comm->is_idle() || comm->finalized) {
            fault("not-ready", std::string(function) + " of a communicator that is in progress, or finalized");
            return INVALID_USAGE;
        }
        g.calls.push_back({handle, {stream, move}});
        return SUCCESS;
    });
    g.error = code != SUCCESS ? code : g.error;
    return code;
}

/**
 * What an end waits for: graphs that hold its calls, and, since it frees memory of the device, the work of all communicators
 * there. NCCL would wait for ever; here that is a fault after a time in which any work of a test would have ended.
 */
void settle(Lock &lock, const Comm &comm, const char *function) {
    World &w = world();
    const auto free = [&] {
        return comm.is_free() && std::all_of(w.comms.begin(), w.comms.end(), [&](const auto &other) {
            return other.second->context != comm.context || other.second->is_done();
        });
    };
    if (!w.changed.wait_for(lock, std::chrono::seconds(10), free)) {
        fault("waits-for-ever", std::string(function) + " of rank " + std::to_string(comm.rank) + ": " +
              std::to_string(comm.recorded) + " of its calls are in graphs that are not destroyed, or another communicator hangs");
    }
}

void bury(Lock &lock, void *handle, const std::shared_ptr<Comm> &comm) {
    settle(lock, *comm, "ncclCommAbort");
    world().comms.erase(handle);
    world().gone.insert(handle);
}

}  // namespace

WEFT_NCCL ncclGetVersion(int *version) {
    Lock lock(world().mutex);
    *version = static_cast<int>(numbers(world().settings["version"])[0]);
    return SUCCESS;
}

extern "C" __attribute__((visibility("default"))) const char *ncclGetErrorString(int code) {
    static const char *const texts[] = {"no error", "unhandled cuda error", "unhandled system error", "internal error",
                                        "invalid argument", "invalid usage", "remote process exited or there was a network error",
                                        "NCCL operation in progress"};
    return code >= 0 && code < 8 ? texts[code] : "unknown result code";
}

WEFT_NCCL ncclGetUniqueId(UniqueId *out) {
    Lock lock(world().mutex);
    if (int code = injected("ncclGetUniqueId")) {
        return code;
    }
    static uint64_t made = 0;
    std::memset(out, 0, sizeof *out);
    std::memcpy(out->bytes, "weft", 4);
    pid_t here = getpid();
    std::memcpy(out->bytes + 4, &here, sizeof here);
    made++;
    std::memcpy(out->bytes + sizeof *out - sizeof made, &made, sizeof made);  // the end must arrive, too
    return SUCCESS;
}

WEFT_NCCL ncclCommInitRankConfig(void **out, int size, UniqueId id, int rank, const Config *config) {
    World &w = world();
    void *context = nullptr;
    if (cuCtxGetCurrent(&context) != 0 || context == nullptr) {
        return UNHANDLED_CUDA_ERROR;
    }
    Lock lock(w.mutex);
    if (int code = injected("ncclCommInitRankConfig")) {
        return code;
    }
    if (config->size < 24 || config->magic != 0xcafebeef || config->version < 21400 || config->blocking != 0) {
        fault("arguments", "ncclCommInitRankConfig: the configuration");
        return INVALID_ARGUMENT;
    }
    if (std::memcmp(id.bytes, "weft", 4) != 0 || rank < 0 || rank >= size) {
        fault("arguments", "ncclCommInitRankConfig: identity, size or rank");
        return INVALID_ARGUMENT;
    }
    pid_t here = getpid();
    if (std::memcmp(id.bytes + 4, &here, sizeof here) != 0) {
        fault("another-process", "ncclCommInitRankConfig: ranks are threads of one process here");
        return INVALID_USAGE;
    }
    auto &clique = w.cliques[std::string(id.bytes, sizeof id.bytes)];
    if (!clique) {
        clique = std::make_shared<Clique>();
        clique->size = size;
    }
    for (const auto &[other, its] : clique->contexts) {
        if (other == rank || its == context || clique->size != size) {
            fault("arguments", "ncclCommInitRankConfig: a rank or a device joins twice, or sizes differ");
            return INVALID_USAGE;
        }
    }
    clique->contexts[rank] = context;
    auto comm = std::make_shared<Comm>();
    comm->clique = clique;
    comm->rank = rank;
    comm->context = context;
    static uint64_t handles = 0x2000;
    *out = reinterpret_cast<void *>(handles += 16);
    w.comms[*out] = comm;
    w.changed.notify_all();
    return IN_PROGRESS;
}

WEFT_NCCL ncclCommGetAsyncError(void *handle, int *out) {
    return with("ncclCommGetAsyncError", handle, [&](Lock &, const std::shared_ptr<Comm> &comm) -> int {
        bool pending = !comm->is_whole() || !comm->is_idle() || (comm->finalized && comm->done != comm->groups);
        *out = comm->error != 0 ? comm->error : pending ? IN_PROGRESS : SUCCESS;
        return SUCCESS;
    });
}

WEFT_NCCL ncclCommFinalize(void *handle) {
    return with("ncclCommFinalize", handle, [&](Lock &, const std::shared_ptr<Comm> &comm) -> int {
        comm->finalized = true;
        return comm->done == comm->groups ? SUCCESS : IN_PROGRESS;
    });
}

WEFT_NCCL ncclCommDestroy(void *handle) {
    return with("ncclCommDestroy", handle, [&](Lock &lock, const std::shared_ptr<Comm> &comm) -> int {
        if (!comm->finalized || comm->done != comm->groups) {
            fault("not-ready", "ncclCommDestroy before ncclCommFinalize has ended");
        }
        settle(lock, *comm, "ncclCommDestroy");
        for (const auto &[pair, box] : comm->clique->mail) {
            if (pair.second == comm->rank && !box.empty()) {
                fault("unmatched-send", "rank " + std::to_string(pair.first) + " sent what rank " +
                      std::to_string(pair.second) + " did not receive");
            }
        }
        comm->destroyed = true;
        world().comms.erase(handle);
        world().gone.insert(handle);
        return SUCCESS;
    });
}

WEFT_NCCL ncclCommAbort(void *handle) {
    return with("ncclCommAbort", handle, [&](Lock &lock, const std::shared_ptr<Comm> &comm) -> int {
        comm->aborted = true;
        for (auto &[pair, box] : comm->clique->mail) {
            if (pair.first == comm->rank) {
                box.clear();
            }
        }
        world().changed.notify_all();
        if (group().depth > 0 && numbers(world().settings["version"])[0] >= ENDS_IN_GROUPS) {
            group().ending.push_back(handle);  // all are told before one is waited for
            return SUCCESS;
        }
        bury(lock, handle, comm);
        return SUCCESS;
    });
}

WEFT_NCCL ncclGroupStart() {
    group().depth++;
    return SUCCESS;
}

WEFT_NCCL ncclGroupEnd() {
    Lock lock(world().mutex);
    Group &g = group();
    if (g.depth == 0) {
        fault("group-protocol", "ncclGroupEnd without ncclGroupStart");
        return INVALID_USAGE;
    }
    if (--g.depth > 0) {
        return SUCCESS;
    }
    for (void *handle : std::exchange(g.ending, {})) {
        if (auto comm = find(handle, "ncclGroupEnd")) {
            bury(lock, handle, comm);
        }
    }
    auto calls = std::exchange(g.calls, {});
    int error = std::exchange(g.error, 0);
    if (int code = injected("ncclGroupEnd"); code != 0 || error != 0) {
        return code != 0 ? code : error;
    }
    if (calls.empty()) {
        return SUCCESS;
    }
    std::vector<Move> moves;
    for (const auto &[handle, call] : calls) {
        if (handle != calls.front().first || call.first != calls.front().second.first) {
            fault("group-protocol", "a group of several communicators or streams");
            return INVALID_USAGE;
        }
        moves.push_back(call.second);
    }
    auto comm = find(calls.front().first, "ncclGroupEnd");
    if (!comm) {
        return INVALID_ARGUMENT;
    }
    launch(comm, calls.front().second.first, std::move(moves));
    return IN_PROGRESS;
}

WEFT_NCCL ncclSend(uint64_t data, size_t count, int type, int peer, void *comm, void *stream) {
    return submit("ncclSend", comm, stream, type, {Kind::SEND, data, 0, count, peer});
}

WEFT_NCCL ncclRecv(uint64_t data, size_t count, int type, int peer, void *comm, void *stream) {
    return submit("ncclRecv", comm, stream, type, {Kind::RECEIVE, 0, data, count, peer});
}

WEFT_NCCL ncclAllGather(uint64_t send, uint64_t receive, size_t count, int type, void *comm, void *stream) {
    return submit("ncclAllGather", comm, stream, type, {Kind::ALL_GATHER, send, receive, count, -1});
}

WEFT_NCCL ncclBroadcast(uint64_t send, uint64_t receive, size_t count, int type, int root, void *comm, void *stream) {
    return submit("ncclBroadcast", comm, stream, type, {Kind::BROADCAST, send, receive, count, root});
}

/** Changes a setting; failures are counted from here on. 0, or 1 for an unknown key or value. */
WEFT_NCCL weftNcclConfigure(const char *key, const char *value) {
    World &w = world();
    Lock lock(w.mutex);
    try {
        if (std::string(key) != "fail" && numbers(value).empty() != (std::string(key) == "hang" && *value == 0)) {
            return 1;
        }
        w.settings.at(key) = value;
        w.calls.clear();
        return 0;
    } catch (const std::logic_error &) {
        return 1;
    }
}

/** Faults since the last call, "rule: detail", one a line, and communicators that are open. */
extern "C" __attribute__((visibility("default"))) const char *weftNcclFaults() {
    static thread_local std::string faults;
    World &w = world();
    Lock lock(w.mutex);
    if (!w.comms.empty()) {
        fault("open", std::to_string(w.comms.size()) + " communicators");
    }
    faults = std::exchange(w.faults, {});
    return faults.c_str();
}
