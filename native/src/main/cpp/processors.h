// Where threads run and where memory lies. Only Linux knows; elsewhere every function says so by its result.
#ifndef WEFT_PROCESSORS_H
#define WEFT_PROCESSORS_H

#include <pthread.h>
#include <stdint.h>

namespace weft {

/** Processors this process may use, ascending: writes the first `capacity` and says how many there are; 0 if unknown. */
int32_t usable_processors(int32_t *processors, int32_t capacity);

/** Lets a thread run on one processor only; false if the system refuses. */
bool pin(pthread_t thread, int32_t processor);

/** The only processor a thread may run on; -1 if there are several or it is unknown. */
int32_t pinned_to(pthread_t thread);

/** Memory nodes this process may use; 0 if unknown. */
int32_t memory_nodes();

/**
 * Spreads the pages of [memory, memory + bytes) over all memory nodes, those not touched yet. Whole pages inside the range
 * only. False if the system refuses.
 */
bool interleave(void *memory, int64_t bytes);

}  // namespace weft

#endif
