#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>

#include "collective.h"

namespace emu {

namespace {

constexpr char root_magic[] = "weft-emulator-root";

struct RootInfo {
    char magic[sizeof root_magic];
    uint64_t id;
};

std::map<uint64_t, std::shared_ptr<Group>> groups;  // by root id, while ranks join
uint64_t next_root = 1;

/** Marks of ids that are not of root infos: groups that were split off, and those of a rank table. */
constexpr uint64_t split_off = 1ULL << 63;
constexpr uint64_t tabled = 1ULL << 62;

int refuse(HcclResult code, const std::string& text) {
    return fail(code, text);
}

std::string name_of(const HcclCommConfig* config, uint64_t id) {
    if (config != nullptr && config->magic == HCCL_COMM_CONFIG_MAGIC && config->hcclCommName[0] != '\0') {
        return {config->hcclCommName, strnlen(config->hcclCommName, HCCL_COMM_NAME_MAX_LENGTH - 1)};
    }
    return "weft_emulator_group_" + std::to_string(id);
}

/**
 * Exchange buffer that a rank asks for: its configuration, the environment, 200 MB [hccl docs: HCCL_BUFFSIZE]; 0 if the
 * environment holds no whole number of megabytes.
 */
int64_t buffer_of(const HcclCommConfig* config) {
    constexpr uint32_t unset = 0xFFFFFFFF;
    int64_t megabytes = 200;
    if (config != nullptr && config->magic == HCCL_COMM_CONFIG_MAGIC && config->hcclBufferSize != unset) {
        megabytes = config->hcclBufferSize;
    } else if (const char* set = std::getenv("HCCL_BUFFSIZE")) {
        char* end = nullptr;
        megabytes = std::strtoll(set, &end, 10);
        if (end == set || *end != '\0' || megabytes > std::numeric_limits<int32_t>::max()) {
            return 0;
        }
    }
    return megabytes << 20;
}

/** Ranks with buffers of different sizes may exchange their first bytes and hang in a larger collective. */
int check_buffer(Group& group, int64_t buffer) {
    if (buffer <= 0) {
        return refuse(HCCL_E_PARA, "HCCL_BUFFSIZE: expected a whole number of megabytes, 1 or more");
    }
    if (group.devices.empty()) {
        group.buffer = buffer;
    }
    if (group.buffer == buffer) {
        return 0;
    }
    fault("collective-mismatch", "ranks join " + group.name + " with buffers of " + std::to_string(group.buffer >> 20) +
                                     " and " + std::to_string(buffer >> 20) + " MB");
    return refuse(HCCL_E_PARA, "HcclCommInitRootInfo: ranks disagree about the size of their buffers");
}

/** Adds one rank. Lock held. */
int add_rank(Group& group, uint32_t ranks, uint32_t rank, int device) {
    if (group.ranks != ranks) {
        fault("collective-mismatch", "one rank joins " + group.name + " with " + std::to_string(ranks) +
              " ranks, another with " +
                                         std::to_string(group.ranks));
        return refuse(HCCL_E_PARA, "HcclCommInitRootInfo: ranks disagree about their number");
    }
    if (rank >= ranks || group.devices.count(rank)) {
        return refuse(HCCL_E_PARA, "HcclCommInitRootInfo: rank " + std::to_string(rank) + " is taken or beyond " +
                      std::to_string(ranks));
    }
    for (const auto& [other, used] : group.devices) {
        if (used == device) {
            fault("communicator-device", "ranks " + std::to_string(other) + " and " + std::to_string(rank) + " of " +
                  group.name +
                                             " both use device " + std::to_string(device));
            return refuse(HCCL_E_PARA, "HcclCommInitRootInfo: one rank is one device");
        }
    }
    group.devices[rank] = device;
    world().changed.notify_all();
    return HCCL_SUCCESS;
}

void make_communicator(const std::shared_ptr<Group>& group, uint32_t rank, int device, HcclComm* comm) {
    auto made = std::make_shared<Communicator>();
    made->group = group;
    made->rank = rank;
    made->device = device;
    *comm = made->handle = world().communicators.add(made);
}

/** Joins the group of that root and waits for the others. Lock held. */
int join_root(uint64_t id, uint32_t ranks, uint32_t rank, const HcclCommConfig* config, HcclComm* comm, Lock& lock) {
    auto context = current_context("HcclCommInitRootInfo");
    if (context == nullptr) {
        return HCCL_E_RUNTIME;
    }
    std::shared_ptr<Group>& entry = groups[id];
    if (entry == nullptr) {
        entry = std::make_shared<Group>();
        entry->id = id;
        entry->ranks = ranks;
        entry->name = name_of(config, id);
    }
    std::shared_ptr<Group> group = entry;
    if (int code = check_buffer(*group, buffer_of(config))) {
        return code;
    }
    if (int code = add_rank(*group, ranks, rank, context->device)) {
        return code;
    }
    auto complete = [&] { return group->devices.size() == group->ranks || group->ended; };
    auto patience = std::chrono::duration<double>(emu::config().hccl_timeout);
    if (!world().changed.wait_for(lock, patience, complete) || group->ended) {
        group->devices.erase(rank);
        return refuse(HCCL_E_TIMEOUT, "HcclCommInitRootInfo: " + std::to_string(group->devices.size() + 1) + " of " +
                                          std::to_string(ranks) + " ranks came in time");
    }
    groups.erase(id);
    make_communicator(group, rank, context->device, comm);
    return HCCL_SUCCESS;
}

}  // namespace

int new_root_info(HcclRootInfo* info) {
    static_assert(sizeof(RootInfo) <= HCCL_ROOT_INFO_BYTES);
    if (info == nullptr) {
        return refuse(HCCL_E_PTR, "HcclGetRootInfo: NULL");
    }
    Lock lock(world().mutex);
    if (current_context("HcclGetRootInfo") == nullptr) {
        return HCCL_E_RUNTIME;
    }
    RootInfo root{};
    std::memcpy(root.magic, root_magic, sizeof root_magic);
    root.id = next_root++;
    std::memset(info, 0, sizeof *info);
    std::memcpy(info, &root, sizeof root);
    return HCCL_SUCCESS;
}

int join_group(uint32_t ranks, const HcclRootInfo* info, uint32_t rank, const HcclCommConfig* config, HcclComm* comm) {
    if (info == nullptr || comm == nullptr) {
        return refuse(HCCL_E_PTR, "HcclCommInitRootInfo: NULL");
    }
    RootInfo root;
    std::memcpy(&root, info, sizeof root);
    if (std::memcmp(root.magic, root_magic, sizeof root_magic) != 0 || ranks == 0) {
        return refuse(HCCL_E_PARA, "HcclCommInitRootInfo: no ranks, or no root info of HcclGetRootInfo");
    }
    Lock lock(world().mutex);
    return join_root(root.id, ranks, rank, config, comm, lock);
}

int join_table(const char* path, uint32_t rank, const HcclCommConfig* config, HcclComm* comm) {
    if (path == nullptr || comm == nullptr) {
        return refuse(HCCL_E_PTR, "HcclCommInitClusterInfo: NULL");
    }
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    uint32_t ranks = 0;
    for (size_t at = text.find("\"rank_id\""); at != std::string::npos; at = text.find("\"rank_id\"", at + 1)) {
        ranks++;
    }
    if (ranks == 0 || text.find("completed") == std::string::npos) {
        return refuse(HCCL_E_PARA, std::string("HcclCommInitClusterInfo: ") + path +
                                       " is no completed rank table [hccl docs: rank table configuration]");
    }
    Lock lock(world().mutex);
    return join_root(tabled | std::hash<std::string>{}(text) >> 2, ranks, rank, config, comm, lock);
}

int join_all(uint32_t ranks, const int32_t* devices, HcclComm* comms) {
    if (devices == nullptr || comms == nullptr) {
        return refuse(HCCL_E_PTR, "HcclCommInitAll: NULL");
    }
    Lock lock(world().mutex);
    auto group = std::make_shared<Group>();
    group->id = next_root++;
    group->ranks = ranks;
    group->name = name_of(nullptr, group->id);
    if (int code = check_buffer(*group, buffer_of(nullptr))) {
        return code;
    }
    for (uint32_t rank = 0; rank < ranks; rank++) {
        if (devices[rank] < 0 || devices[rank] >= config().devices) {
            return refuse(HCCL_E_PARA, "HcclCommInitAll: no device " + std::to_string(devices[rank]));
        }
        if (int code = add_rank(*group, ranks, rank, devices[rank])) {
            return code;
        }
    }
    for (uint32_t rank = 0; rank < ranks; rank++) {
        make_communicator(group, rank, devices[rank], &comms[rank]);
    }
    return HCCL_SUCCESS;
}

int join_subgroup(HcclComm parent, uint32_t ranks, const uint32_t* rank_ids, uint64_t id, uint32_t rank,
                  const HcclCommConfig* config, HcclComm* comm) {
    Lock lock(world().mutex);
    int code;
    auto whole = find_communicator(parent, "HcclCreateSubCommConfig", code);
    if (code) {
        return code;
    }
    if (rank_ids == nullptr) {
        *comm = nullptr;  // this rank stays outside
        return HCCL_SUCCESS;
    }
    if (whole->group->id & split_off) {
        return refuse(HCCL_E_NOT_SUPPORT, "HcclCreateSubCommConfig: the communicator was split off itself [hcomm docs]");
    }
    if (!std::is_sorted(rank_ids, rank_ids + ranks)) {
        return refuse(HCCL_E_PARA, "HcclCreateSubCommConfig: rankIds are not in order [hcomm docs]");
    }
    if (rank >= ranks || rank_ids[rank] != whole->rank) {
        return refuse(HCCL_E_PARA, "HcclCreateSubCommConfig: rankIds does not name this rank at its own place");
    }
    uint64_t root = split_off | whole->group->id << 32 | id;
    return join_root(root, ranks, rank, config, comm, lock);
}

int leave_group(HcclComm handle) {
    World& w = world();
    Lock lock(w.mutex);
    int code;
    auto comm = find_communicator(handle, "HcclCommDestroy", code);
    if (code) {
        return code;
    }
    if (!comm->last.before(w.host)) {
        fault("destroy-with-pending-work", "HcclCommDestroy of rank " + std::to_string(comm->rank) + " of " +
              comm->group->name +
                                               " before the host has waited for its last collective");
    }
    w.communicators.take(handle);
    return HCCL_SUCCESS;
}

std::shared_ptr<Communicator> find_communicator(const void* handle, const char* function, int& code) {
    World& w = world();
    code = 0;
    if (handle == nullptr) {
        code = refuse(HCCL_E_PTR, std::string(function) + ": comm is NULL");
        return nullptr;
    }
    auto comm = w.communicators.find(handle);
    if (comm == nullptr) {
        fault(w.communicators.why(handle), std::string(function) + " with " + describe_handle(handle) +
              " as communicator");
        code = refuse(HCCL_E_PARA, std::string(function) + ": no such communicator");
    }
    return comm;
}

void end_communicators() {
    for (const auto& [handle, comm] : world().communicators.all()) {
        comm->group->ended = true;
    }
    for (const auto& [id, group] : groups) {
        group->ended = true;
    }
    groups.clear();
    world().changed.notify_all();
}

}  // namespace emu
