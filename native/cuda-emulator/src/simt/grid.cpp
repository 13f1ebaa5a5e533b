#include "grid.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "trap.h"

namespace weft::simt {

namespace {

struct Job {
    const Launch &launch;
    uint64_t blocks;
    std::atomic<uint64_t> next{0};
    std::atomic<bool> failed{false};
    unsigned workers = 0;  // the rest under the pool's mutex
    Failure failure = {};
};

class Pool {
public:
    Pool() {
        install_traps();
        for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); i++) {
            std::thread(&Pool::work, this).detach();
        }
    }

    void run(Job &job) {
        std::unique_lock lock(mutex_);
        jobs_.push_back(&job);
        job.blocks > 1 ? changed_.notify_all() : changed_.notify_one();
        finished_.wait(lock, [&] {
            return job.workers == 0 && std::find(jobs_.begin(), jobs_.end(), &job) == jobs_.end();
        });
    }

private:
    void work() {
        prepare_thread();
        this_block = new Block;
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [&] { return !jobs_.empty(); });
            Job &job = *jobs_.front();
            job.workers++;
            lock.unlock();
            for (uint64_t number; !job.failed && (number = job.next++) < job.blocks;) {
                Failure failure = run_block(job, number);
                if (failure.code != 0) {
                    keep(job, failure);
                }
            }
            lock.lock();
            std::erase(jobs_, &job);  // nothing is left to take
            if (--job.workers == 0) {
                finished_.notify_all();
            }
        }
    }

    /** Before others see that the job has failed, which then may fail for that. */
    void keep(Job &job, const Failure &failure) {
        std::lock_guard lock(mutex_);
        if (job.failure.code == 0) {
            job.failure = failure;
        }
        job.failed = true;
    }

    static Failure run_block(const Job &job, uint64_t number) {
        const Launch &launch = job.launch;
        // any order of the blocks is possible; two are tried
        uint64_t at = launch.seed % 2 == 0 ? number : job.blocks - 1 - number;
        uint3 index{static_cast<unsigned>(at % launch.grid.x),
                    static_cast<unsigned>(at / launch.grid.x % launch.grid.y),
                    static_cast<unsigned>(at / launch.grid.x / launch.grid.y)};
        return this_block->run(launch, index, at, job.failed);
    }

    std::mutex mutex_;
    std::condition_variable changed_, finished_;
    std::deque<Job *> jobs_;
};

}  // namespace

Failure run(const Launch &launch) {
    static Pool &pool = *new Pool;  // its threads outlive every static object
    Job job{launch, static_cast<uint64_t>(launch.grid.x) * launch.grid.y * launch.grid.z};
    pool.run(job);
    return job.failure;
}

}  // namespace weft::simt
