package dev.weft.benchmarks.peer;

import dev.weft.spi.nativelib.Symbol;
import java.lang.foreign.MemorySegment;

/**
 * Functions of {@code ggml.h}, {@code ggml-alloc.h} and {@code ggml-backend.h}. C enums are ints, of {@code bool} results
 * only the low byte counts.
 */
interface GgmlLibrary {
    int F32 = 0;
    int F16 = 1;
    int Q8_0 = 8;
    int I32 = 26;
    int BF16 = 30;
    int MXFP4 = 39;

    int DEVICE_CPU = 0;
    int USAGE_WEIGHTS = 1;

    @Symbol("ggml_log_set")
    void setLog(MemorySegment callback, MemorySegment data);

    @Symbol("ggml_version")
    MemorySegment version();

    @Symbol("ggml_backend_load_all")
    void loadBackends();

    @Symbol("ggml_backend_load_all_from_path")
    void loadBackends(MemorySegment folder);

    @Symbol("ggml_backend_dev_by_type")
    MemorySegment deviceByType(int type);

    @Symbol("ggml_backend_dev_description")
    MemorySegment deviceDescription(MemorySegment device);

    @Symbol("ggml_backend_dev_backend_reg")
    MemorySegment registryOf(MemorySegment device);

    @Symbol("ggml_backend_reg_get_proc_address")
    MemorySegment procAddress(MemorySegment registry, MemorySegment name);

    @Symbol("ggml_backend_dev_init")
    MemorySegment openDevice(MemorySegment device, MemorySegment parameters);

    @Symbol("ggml_backend_dev_supports_op")
    int supportsOp(MemorySegment device, MemorySegment node);

    @Symbol("ggml_backend_dev_buffer_type")
    MemorySegment bufferTypeOf(MemorySegment device);

    @Symbol("ggml_backend_buft_name")
    MemorySegment bufferTypeName(MemorySegment bufferType);

    @Symbol("ggml_backend_alloc_ctx_tensors_from_buft")
    MemorySegment allocateTensors(MemorySegment context, MemorySegment bufferType);

    @Symbol("ggml_backend_buffer_set_usage")
    void setUsage(MemorySegment buffer, int usage);

    @Symbol("ggml_backend_buffer_free")
    void freeBuffer(MemorySegment buffer);

    @Symbol("ggml_backend_tensor_set")
    void write(MemorySegment tensor, MemorySegment data, long offset, long bytes);

    @Symbol("ggml_backend_tensor_get")
    void read(MemorySegment tensor, MemorySegment data, long offset, long bytes);

    @Symbol("ggml_backend_graph_compute")
    int compute(MemorySegment backend, MemorySegment graph);

    @Symbol("ggml_tensor_overhead")
    long tensorOverhead();

    @Symbol("ggml_graph_overhead_custom")
    long graphOverhead(long nodes, int gradients);

    @Symbol("ggml_free")
    void freeContext(MemorySegment context);

    @Symbol("ggml_get_first_tensor")
    MemorySegment firstTensor(MemorySegment context);

    @Symbol("ggml_new_tensor_4d")
    MemorySegment tensor(MemorySegment context, int type, long ne0, long ne1, long ne2, long ne3);

    @Symbol("ggml_new_graph_custom")
    MemorySegment graph(MemorySegment context, long nodes, int gradients);

    @Symbol("ggml_build_forward_expand")
    void expand(MemorySegment graph, MemorySegment node);

    @Symbol("ggml_mul_mat")
    MemorySegment mulMat(MemorySegment context, MemorySegment a, MemorySegment b);

    @Symbol("ggml_mul_mat_id")
    MemorySegment mulMatId(MemorySegment context, MemorySegment experts, MemorySegment b, MemorySegment ids);

    @Symbol("ggml_flash_attn_ext")
    MemorySegment flashAttention(
            MemorySegment context,
            MemorySegment q,
            MemorySegment k,
            MemorySegment v,
            MemorySegment mask,
            float scale,
            float maxBias,
            float softcap);

    @Symbol("ggml_flash_attn_ext_add_sinks")
    void addSinks(MemorySegment attention, MemorySegment sinks);
}
