// What the emulated NCCL knows: groups of ranks, their communicators, and what a test has set. One lock guards it all.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace weft::nccl {

using Lock = std::unique_lock<std::mutex>;
using Bytes = std::vector<char>;

// ncclResult_t
enum Result : int {
    SUCCESS = 0,
    UNHANDLED_CUDA_ERROR = 1,
    INTERNAL_ERROR = 3,
    INVALID_ARGUMENT = 4,
    INVALID_USAGE = 5,
    REMOTE_ERROR = 6,
    IN_PROGRESS = 7
};

enum class Kind { SEND, RECEIVE, ALL_GATHER, BROADCAST };

/** One call that moves bytes; addresses are of the device. */
struct Move {
    Kind kind;
    uint64_t from, to, bytes;
    int peer;  // or root
};

/** What a rank brings to a collective. */
struct Part {
    bool recorded;  // whether a graph runs it
    Kind kind;
    uint64_t bytes;
    int root;
    Bytes data;
};

/** Ranks that have the same identity. */
struct Clique {
    int size;
    std::map<int, void *> contexts;                           // of the ranks that have joined
    std::map<std::pair<int, int>, std::deque<Bytes>> mail;    // by sender and receiver
    std::map<uint64_t, std::map<int, Part>> collectives;      // by number of the call, by rank
};

struct Comm {
    std::shared_ptr<Clique> clique;
    int rank;
    void *context;               // that of its device
    uint64_t collectives = 0;
    uint64_t groups = 0, launched = 0, done = 0;
    uint64_t recording = 0;      // groups on their way into a graph
    uint64_t recorded = 0;       // groups in graphs that are not gone
    uint64_t turns = 0;          // groups carried out, those of graphs too
    uint64_t running = 0;        // groups being carried out
    bool aborted = false, finalized = false, destroyed = false;
    int error = 0;               // what is reported without being asked for

    bool is_whole() const { return static_cast<int>(clique->contexts.size()) == clique->size; }
    /** Whether everything it was given is on its streams. */
    bool is_idle() const { return launched == groups && recording == 0; }
    /** Whether it can end: nothing on its way, and no graph left that would call it (commDestroySync of NCCL). */
    bool is_free() const { return is_idle() && recorded == 0; }
    /** Whether nothing of it keeps the device busy. */
    bool is_done() const { return done == groups && running == 0; }
};

struct World {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, std::shared_ptr<Clique>> cliques;  // by identity
    std::map<void *, std::shared_ptr<Comm>> comms;
    std::set<void *> gone;
    std::string faults;
    std::map<std::string, std::string> settings{{"delay", "0"}, {"fail", ""}, {"hang", ""}, {"version", "22703"}};
    std::map<std::string, uint64_t> calls;                   // counted for injected failures
};

World &world();

/** A broken rule, kept until somebody asks. Under the lock. */
void fault(const std::string &rule, const std::string &detail);

/** Parts of a setting as numbers, split at colons. Under the lock. */
std::vector<uint64_t> numbers(const std::string &text);

/** Counts a call; the code to fail with, or 0. Under the lock. */
int injected(const std::string &function);

/** Number of a group that belongs to a graph, which runs it when its stream comes to it. */
constexpr uint64_t RECORDED = 0;

/** Carries out a group on the thread of its stream. */
void carry_out(const std::shared_ptr<Comm> &comm, const std::vector<Move> &moves, uint64_t number);

}  // namespace weft::nccl
