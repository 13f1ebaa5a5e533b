// How bytes get from rank to rank: through the host's memory, on the threads of the emulated streams.
#include "world.h"

using CUdeviceptr = unsigned long long;
extern "C" int cuCtxSetCurrent(void *context);
extern "C" int cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes);
extern "C" int cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes);

namespace weft::nccl {

namespace {

void require(int code, const char *what, uint64_t address, uint64_t bytes) {
    if (code != 0) {
        Lock lock(world().mutex);
        fault("illegal-address", std::string(what) + " of " + std::to_string(bytes) + " bytes at " +
              std::to_string(address) + ": the driver answers " + std::to_string(code));
    }
}

Bytes read(uint64_t address, uint64_t bytes) {
    Bytes data(bytes);
    require(cuMemcpyDtoH_v2(data.data(), address, bytes), "read", address, bytes);
    return data;
}

void write(uint64_t address, const Bytes &data) {
    require(cuMemcpyHtoD_v2(address, data.data(), data.size()), "write", address, data.size());
}

void send(Comm &comm, const Move &m) {
    Bytes data = read(m.from, m.bytes);
    Lock lock(world().mutex);
    comm.clique->mail[{comm.rank, m.peer}].push_back(std::move(data));
    world().changed.notify_all();
}

void receive(Comm &comm, const Move &m) {
    Bytes data;
    {
        Lock lock(world().mutex);
        std::deque<Bytes> &box = comm.clique->mail[{m.peer, comm.rank}];
        world().changed.wait(lock, [&] { return comm.aborted || !box.empty(); });
        if (comm.aborted) {
            return;
        }
        data = std::move(box.front());
        box.pop_front();
        if (data.size() != m.bytes) {
            fault("count-mismatch", "rank " + std::to_string(comm.rank) + " receives " + std::to_string(m.bytes) +
                  " bytes from rank " + std::to_string(m.peer) + ", which sends " + std::to_string(data.size()));
            return;
        }
    }
    write(m.to, data);
}

/** The parts of all ranks; nothing after an abort or a mismatch. */
std::map<int, Part> meet(Comm &comm, const Move &m, uint64_t number, bool recorded) {
    bool gives = m.kind == Kind::ALL_GATHER || m.peer == comm.rank;
    Part mine{recorded, m.kind, m.bytes, m.peer, gives ? read(m.from, m.bytes) : Bytes{}};
    Lock lock(world().mutex);
    std::map<int, Part> &parts = comm.clique->collectives[number];
    parts.emplace(comm.rank, std::move(mine));
    world().changed.notify_all();
    world().changed.wait(lock, [&] { return comm.aborted || static_cast<int>(parts.size()) == comm.clique->size; });
    if (comm.aborted) {
        parts.erase(comm.rank);  // who comes later meets nobody
        return {};
    }
    for (const auto &[rank, part] : parts) {
        if (part.recorded != recorded) {
            fault("capture-mismatch", "call " + std::to_string(number) + " is part of a graph on one rank and not on another");
            return {};
        }
        if (part.kind != m.kind || part.bytes != m.bytes || part.root != m.peer) {
            fault("collective-mismatch", "call " + std::to_string(number) + " is another one, or of another size, on rank " +
                  std::to_string(rank) + " than on rank " + std::to_string(comm.rank));
            return {};
        }
    }
    return parts;
}

void collect(Comm &comm, const Move &m, uint64_t number, bool recorded) {
    for (const auto &[rank, part] : meet(comm, m, number, recorded)) {
        if (m.kind == Kind::ALL_GATHER) {
            write(m.to + static_cast<uint64_t>(rank) * m.bytes, part.data);
        } else if (rank == m.peer) {
            write(m.to, part.data);
        }
    }
}

/** Whether this group was to stop here, by the setting "rank:number[:code]". Stays until the communicator is aborted. */
bool hang(Comm &comm) {
    World &w = world();
    Lock lock(w.mutex);
    uint64_t turn = ++comm.turns;
    std::vector<uint64_t> at = numbers(w.settings["hang"]);
    if (at.size() < 2 || static_cast<int>(at[0]) != comm.rank || at[1] != turn) {
        return false;
    }
    comm.error = at.size() > 2 ? static_cast<int>(at[2]) : 0;
    w.changed.wait(lock, [&] { return comm.aborted; });
    return true;
}

}  // namespace

void carry_out(const std::shared_ptr<Comm> &comm, const std::vector<Move> &moves, uint64_t number) {
    cuCtxSetCurrent(comm->context);
    {
        Lock lock(world().mutex);  // groups of one communicator follow each other, on whichever streams they are
        world().changed.wait(lock, [&] { return number == RECORDED || comm->aborted || comm->done + 1 == number; });
        if (comm->destroyed) {
            fault("use-after-destroy", "a graph runs calls of a communicator that is no more");
            return;
        }
        comm->running++;
    }
    if (!hang(*comm)) {
        for (const Move &m : moves) {  // sends never wait here, so no order of a group can block
            if (m.kind == Kind::SEND) {
                send(*comm, m);
            }
        }
        for (const Move &m : moves) {
            if (m.kind == Kind::RECEIVE) {
                receive(*comm, m);
            } else if (m.kind != Kind::SEND) {
                collect(*comm, m, comm->collectives++, number == RECORDED);
            }
        }
    }
    Lock lock(world().mutex);
    comm->running--;
    comm->done += number == RECORDED ? 0 : 1;
    world().changed.notify_all();
}

}  // namespace weft::nccl
