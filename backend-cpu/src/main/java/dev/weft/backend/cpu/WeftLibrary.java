package dev.weft.backend.cpu;

import dev.weft.spi.nativelib.Symbol;
import java.lang.foreign.MemorySegment;

/** The functions of {@code native/include/weft/weft.h}, where their contracts are. Texts are C strings. */
interface WeftLibrary {
    /** Value of {@code WEFT_ABI_VERSION} that this interface follows. */
    int ABI_VERSION = 4;

    @Symbol("weft_abi_version")
    int abiVersion();

    @Symbol("weft_isa_count")
    int isaCount();

    @Symbol("weft_isa_name")
    MemorySegment isaName(int isa);

    @Symbol("weft_isa_usable")
    int isaUsable(int isa);

    @Symbol("weft_pool_destroy")
    void destroyPool(long pool);

    @Symbol("weft_unsupported")
    MemorySegment unsupported(int isa, long op, MemorySegment attributes, MemorySegment operands, long count);

    @Symbol("weft_kernel_name")
    MemorySegment kernelName(int isa, long op, MemorySegment operands, long count);

    @Symbol("weft_workspace")
    long workspace(int isa, long op, MemorySegment attributes, MemorySegment operands, long count, int threads);

    @Symbol("weft_packed_bytes")
    long packedBytes(int isa, MemorySegment matrix);

    @Symbol("weft_pack_id")
    MemorySegment packId(int isa, MemorySegment matrix);

    @Symbol("weft_pack")
    int pack(int isa, MemorySegment matrix, MemorySegment target);

    @Symbol("weft_run")
    long run(long pool, int isa, long commands, long count);

    @Symbol("weft_has_limit")
    int hasLimit(int isa, long kind);

    @Symbol("weft_limit")
    long limit(long pool, int isa, long kind, MemorySegment data, long amount);

    @Symbol("weft_processors")
    int processors(MemorySegment processors, int capacity);

    @Symbol("weft_pool_create_pinned")
    long createPinnedPool(int threads, MemorySegment processors, int count);

    @Symbol("weft_pool_processor")
    int poolProcessor(long pool, int thread);

    @Symbol("weft_memory_nodes")
    int memoryNodes();

    @Symbol("weft_interleave")
    int interleave(long memory, long bytes);

    @Symbol("weft_set_kernel_mode")
    void setKernelMode(int mode);

    @Symbol("weft_file_open")
    long openFile(MemorySegment path);

    @Symbol("weft_file_bytes")
    long fileBytes(long file);

    @Symbol("weft_file_close")
    void closeFile(long file);

    @Symbol("weft_pager_create")
    long createPager(MemorySegment slots, long slotBytes, long slotCount);

    @Symbol("weft_pager_destroy")
    void destroyPager(long pager);

    @Symbol("weft_pager_add")
    long addPaged(
            long pager,
            MemorySegment matrix,
            long packed,
            long matrices,
            long stride,
            MemorySegment home,
            MemorySegment origins);

    @Symbol("weft_pager_counters")
    void pagerCounters(long pager, MemorySegment counters);

    @Symbol("weft_pager_failure")
    void pagerFailure(long pager, MemorySegment failure);
}
