package dev.weft.backend.cuda;

import dev.weft.backend.cuda.kernel.Attributes;
import dev.weft.backend.cuda.kernel.Way;
import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;
import java.util.List;

/** An operator instance and the way that runs it. */
final class CudaKernel implements Emitting {
    private final CudaDevice device;
    private final OpInstance op;
    private final Way way;
    private final Attributes attributes;
    private final List<Long> tables;
    private final long scratchBytes;

    /** Puts the tables on the device. */
    CudaKernel(CudaDevice device, OpInstance op, Way way) {
        this.device = device;
        this.op = op;
        this.way = way;
        this.attributes = way.attributes().apply(op);
        this.tables = attributes.tables().stream().map(device.tables()::of).toList();
        this.scratchBytes = way.scratch().of(op, device.chip());
    }

    @Override
    public String name() {
        return way.name();
    }

    @Override
    public long workspaceBytes() {
        return scratchBytes;
    }

    @Override
    public CudaDevice device() {
        return device;
    }

    @Override
    public void emit(KernelArguments arguments, Emission.Sink sink) {
        new Emission(op, device.chip(), attributes, tables, device.functions(), arguments, sink).run(way);
    }

    @Override
    public String toString() {
        return name();
    }
}
