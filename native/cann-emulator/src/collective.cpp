#include "collective.h"

#include <chrono>

#include "arguments.h"
#include "capture.h"

namespace emu {

namespace {

using Step = Collective::Kind;

const char* kind_name(Step kind) {
    static const char* names[] = {"AllReduce", "AllGather", "ReduceScatter", "Broadcast", "AlltoAll", "Reduce",
                                  "Scatter",   "Barrier",   "Send",          "Recv",      "fused operator"};
    return names[static_cast<int>(kind)];
}

bool is_pair(Step kind) {
    return kind == Step::send || kind == Step::receive;
}

/** Ranks meet by the number of the collective, or of the message between two of them. */
std::string key_of(Communicator& comm, const Collective& c) {
    if (!is_pair(c.kind)) {
        return "collective " + std::to_string(++comm.collectives);
    }
    bool sends = c.kind == Step::send;
    std::string pair = std::to_string(sends ? comm.rank : c.root) + " to " + std::to_string(sends ? c.root : comm.rank);
    return pair + " number " + std::to_string(++comm.pairs[pair]);
}

std::vector<uint32_t> expected_ranks(const Communicator& comm, const Collective& c) {
    if (is_pair(c.kind)) {
        return {comm.rank, c.root};
    }
    std::vector<uint32_t> all(comm.group->ranks);
    for (uint32_t i = 0; i < comm.group->ranks; i++) {
        all[i] = i;
    }
    return all;
}

/** The last rank to arrive does the work for all. Lock held on entry and exit. */
void complete(Meeting& meeting, const std::string& where, Lock& lock) {
    std::string wrong = disagreement(meeting);
    if (!wrong.empty()) {
        fault("collective-mismatch", where + ": " + wrong);
        meeting.failed = true;
    } else {
        meeting.working = true;
        lock.unlock();
        move_data(meeting);
        lock.lock();
    }
    meeting.done = true;
    world().changed.notify_all();
}

[[noreturn]] void give_up(Communicator& comm, const std::string& where, Meeting& meeting) {
    std::string missing;
    for (uint32_t rank : meeting.expected) {
        missing += meeting.arrived.count(rank) ? "" : " " + std::to_string(rank);
    }
    comm.error = HCCL_E_TIMEOUT;
    fault("collective-timeout", where + ": rank " + std::to_string(comm.rank) + " waited in vain for ranks" + missing);
    throw DeviceException{ACL_ERROR_RT_TASK_TIMEOUT, where + ": HCCL timeout, missing ranks" + missing};
}

// ---- checks at the call

int check_buffer(const char* function, const void* buffer, uint64_t count, const Communicator& comm, int width,
                 bool write,
                 std::vector<Access>& accesses) {
    if (count == 0) {
        return HCCL_SUCCESS;
    }
    if (buffer == nullptr) {
        return fail(HCCL_E_PTR, std::string(function) + ": a buffer is NULL");
    }
    uint64_t begin = reinterpret_cast<uint64_t>(buffer);
    ByteRange range{begin, begin + count * static_cast<uint64_t>(width)};
    if (!is_device(begin) || device_of(begin) != comm.device || allocation_of(range) == nullptr) {
        fault(is_device(begin) && device_of(begin) == comm.device ? "tensor-bounds" : "address-memory",
              std::string(function) + ": buffer " + describe(range) + " is not live memory of device " +
                  std::to_string(comm.device));
        return fail(HCCL_E_PARA, std::string(function) + ": a buffer is not live memory of the rank's device");
    }
    accesses.push_back({range, write});
    return HCCL_SUCCESS;
}

uint64_t extent(const std::vector<uint64_t>& counts, const std::vector<uint64_t>& offsets) {
    uint64_t end = 0;
    for (size_t i = 0; i < counts.size(); i++) {
        end = std::max(end, counts[i] == 0 ? 0 : offsets[i] + counts[i]);
    }
    return end;
}

/** Elements this rank reads and writes. */
std::pair<uint64_t, uint64_t> extents(const Communicator& comm, const Collective& c) {
    uint64_t all = c.count * comm.group->ranks;
    bool root = comm.rank == c.root;
    switch (c.kind) {
        case Step::all_reduce:
            return {c.count, c.count};
        case Step::all_gather:
            return {c.count, all};
        case Step::reduce_scatter:
            return {all, c.count};
        case Step::broadcast:
            return {root ? c.count : 0, root ? 0 : c.count};
        case Step::all_to_all:
            return {extent(c.send_counts, c.send_offsets), extent(c.receive_counts, c.receive_offsets)};
        case Step::reduce:
            return {c.count, root ? c.count : 0};
        case Step::scatter:
            return {root ? all : 0, c.count};
        case Step::send:
            return {c.count, 0};
        case Step::receive:
            return {0, c.count};
        default:
            return {0, 0};
    }
}

int check_call(const char* function, const Communicator& comm, const Collective& c, std::vector<Access>& accesses) {
    int width = c.kind == Step::barrier ? 1 : hccl_width(c.dtype);
    if (width == 0) {
        return fail(HCCL_E_PARA, std::string(function) + ": no such data type: " + std::to_string(c.dtype));
    }
    bool reduces = c.kind == Step::all_reduce || c.kind == Step::reduce_scatter || c.kind == Step::reduce;
    if (reduces && !can_reduce(c.dtype)) {
        return fail(HCCL_E_NOT_SUPPORT, std::string(function) +
                    ": this data type cannot be reduced [hccl docs: HcclAllReduce]");
    }
    if (c.root >= comm.group->ranks || (is_pair(c.kind) && c.root == comm.rank)) {
        return fail(HCCL_E_PARA, std::string(function) + ": no such rank: " + std::to_string(c.root));
    }
    auto [reads, writes] = extents(comm, c);
    if (int code = check_buffer(function, c.send, reads, comm, width, false, accesses)) {
        return code;
    }
    return check_buffer(function, c.receive, writes, comm, width, true, accesses);
}

/** Collectives of one communicator must be ordered among themselves. Lock held. */
void check_order(const char* function, Communicator& comm, const Stream& stream) {
    Clock clock = stream.clock;
    join(clock, world().host);
    if (!comm.last.before(clock)) {
        fault("race", std::string(function) + " on stream " + std::to_string(stream.id) +
              " is not ordered after the communicator's "
                      "last collective, which is on another stream");
    }
}

}  // namespace

std::string describe(const Collective& c) {
    std::string text = kind_name(c.kind);
    if (c.kind == Step::fused) {
        return text + " (" + c.what + ")";
    }
    return text + "(count " + std::to_string(c.count) + ", dtype " + std::to_string(c.dtype) + ", reduction " +
           std::to_string(c.reduction) + ", root or peer " + std::to_string(c.root) + ")";
}

int start(const char* function, HcclComm handle, aclrtStream on, Collective collective) {
    Lock lock(world().mutex);
    int code;
    auto comm = find_communicator(handle, function, code);
    if (code) {
        return code;
    }
    std::shared_ptr<Stream> stream;
    if (find_stream(on, function, stream) != 0) {
        return HCCL_E_RUNTIME;
    }
    if (stream->device != comm->device) {
        fault("communicator-device", std::string(function) + " on device " + std::to_string(stream->device) +
              " for rank " +
                                         std::to_string(comm->rank) + ", which is device " +
                                             std::to_string(comm->device));
        return fail(HCCL_E_PARA, std::string(function) + ": the stream is on another device than the rank");
    }
    std::vector<Access> accesses;
    if ((code = check_call(function, *comm, collective, accesses))) {
        return code;
    }
    comm->plain = true;
    if (comm->fused) {
        fault("communicator-shared", std::string(function) + " in " + comm->group->name +
              ", which serves a fused operator");
    }
    if (!stream->capture) {
        check_order(function, *comm, *stream);
    }
    code = submit(stream, {function, std::move(accesses), [comm, collective] { meet(comm, collective); }});
    if (code == 0 && !stream->capture) {
        comm->last = {stream->actor, stream->clock[stream->actor]};
    }
    return code == 0 ? HCCL_SUCCESS : HCCL_E_RUNTIME;
}

std::shared_ptr<Meeting> meet(const std::shared_ptr<Communicator>& comm, Collective collective) {
    Lock lock(world().mutex);
    Group& group = *comm->group;
    std::string key = key_of(*comm, collective);
    std::string where = group.name + ", " + key;
    std::shared_ptr<Meeting>& entry = group.meetings[key];
    if (entry == nullptr) {
        entry = std::make_shared<Meeting>();
        entry->expected = expected_ranks(*comm, collective);
    }
    std::shared_ptr<Meeting> meeting = entry;
    meeting->arrived[comm->rank] = std::move(collective);
    if (meeting->arrived.size() == meeting->expected.size()) {
        group.meetings.erase(key);
        complete(*meeting, where, lock);
    } else {
        auto over = [&] { return meeting->done || (group.ended && !meeting->working); };
        auto patience = std::chrono::duration<double>(config().hccl_timeout);
        bool patient = world().changed.wait_for(lock, patience, [&] { return over() || meeting->working; });
        if (patient && meeting->working) {
            world().changed.wait(lock, over);
        }
        if (!meeting->done) {
            give_up(*comm, where, *meeting);
        }
    }
    if (meeting->failed) {
        comm->error = HCCL_E_INTERNAL;
        throw DeviceException{ACL_ERROR_RT_AICPU_EXCEPTION, where + ": ranks disagree"};
    }
    return meeting;
}

// ---- fused operators

namespace {

/** The device this thread works for: a worker's stream, or the current context. */
std::shared_ptr<Communicator> communicator_of(const std::string& name) {
    int device = worker_device();
    if (device < 0) {
        auto context = current_context_or_null();
        device = context ? context->device : -1;
    }
    for (const auto& [handle, comm] : world().communicators.all()) {
        if (comm->group->name == name && comm->device == device) {
            return comm;
        }
    }
    return nullptr;
}

}  // namespace

bool group_shape(const std::string& name, int& rank, int& ranks) {
    Lock lock(world().mutex);
    auto comm = communicator_of(name);
    if (comm == nullptr) {
        return false;
    }
    rank = static_cast<int>(comm->rank);
    ranks = static_cast<int>(comm->group->ranks);
    return true;
}

int64_t group_buffer(const std::string& name) {
    Lock lock(world().mutex);
    auto comm = communicator_of(name);
    return comm == nullptr ? 0 : comm->group->buffer;
}

std::vector<std::vector<uint8_t>> Run::exchange(const std::string& name, const std::string& what,
                                                std::vector<uint8_t> mine) {
    std::shared_ptr<Communicator> comm;
    {
        Lock lock(world().mutex);
        comm = communicator_of(name);
        if (comm == nullptr) {
            throw DeviceException{ACL_ERROR_RT_AICPU_EXCEPTION, std::string(op()) + ": no communicator named " + name};
        }
        comm->fused = true;
        if (comm->plain) {
            fault("communicator-shared", std::string(op()) + " in " + name + ", which also serves plain collectives");
        }
    }
    Collective c;
    c.kind = Step::fused;
    c.what = std::string(op()) + " " + what;
    c.payload = std::move(mine);
    auto meeting = meet(comm, std::move(c));
    std::vector<std::vector<uint8_t>> all;
    for (const auto& [rank, brought] : meeting->arrived) {
        all.push_back(brought.payload);
    }
    return all;
}

}  // namespace emu
